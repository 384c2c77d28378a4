#include "tasks/vision/tracker.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include <gmock/gmock.h>

#include "tasks/vision/belt_clips.h"

namespace bascule::tasks::vision {
namespace {

using testing::ElementsAre;

constexpr content::PictureSize kPicture{.height = 480, .width = 640};

Seen box_at(float x, float y, float side = 40, int class_id = 0) {
  return {.class_id = class_id, .box = {.x1 = x, .y1 = y, .x2 = x + side, .y2 = y + side}};
}

std::vector<std::uint64_t> ids(const std::vector<TrackOf>& tracks) {
  std::vector<std::uint64_t> out;
  std::ranges::transform(tracks, std::back_inserter(out), &TrackOf::id);
  return out;
}

// What went wrong with the identities of a clip.
struct Faults {
  int switches = 0;  // an item whose id changed
  int shared = 0;    // an id that two items had
  std::uint64_t ids = 0;
};

Faults follow(const BeltClip& clip, Tracker& tracker) {
  Faults faults;
  std::map<int, std::uint64_t> id_of;
  std::map<std::uint64_t, int> item_of;
  for (const BeltFrame& frame : clip.frames) {
    std::vector<Seen> boxes;
    for (const BeltItem& item : frame.items) boxes.push_back({.class_id = item.class_id, .box = item.box});
    const auto tracks = tracker.update(frame.number, clip.picture, boxes);
    std::set<std::uint64_t> of_frame;
    for (std::size_t i = 0; i < tracks.size(); ++i) {
      const std::uint64_t id = tracks[i].id;
      EXPECT_GT(id, 0U);
      EXPECT_TRUE(of_frame.insert(id).second)
          << "two boxes of frame " << frame.number << " have the id " << id;
      const auto [item, new_item] = id_of.try_emplace(frame.items[i].label, id);
      if (!new_item && item->second != id) {
        ++faults.switches;
        item->second = id;
      }
      const auto [owner, new_id] = item_of.try_emplace(id, frame.items[i].label);
      if (!new_id && owner->second != frame.items[i].label) ++faults.shared;
    }
  }
  faults.ids = item_of.size();
  return faults;
}

// The limits that docs/applications.md tells: three eighths of the frame's width, a quarter of it with every
// fourth frame dropped.
TEST(Tracker, FollowsBeltsAtEverySpeedAndWithDroppedFrames) {
  for (const std::string strip : {"fruit_102_0000", "fruit_102_0001"}) {
    for (const int speed : {8, 40, 90, 180, 240, 320, 400, 480, -60, -180, -320, -480}) {
      for (const bool dropped : {false, true}) {
        if (dropped && std::abs(speed) > 320) continue;
        const BeltClip clip = belt_clip(strip, speed, dropped);
        Tracker tracker({});
        const Faults faults = follow(clip, tracker);
        EXPECT_EQ(faults.switches, 0) << strip << " at " << speed << (dropped ? ", dropped" : "");
        EXPECT_EQ(faults.shared, 0) << strip << " at " << speed << (dropped ? ", dropped" : "");
        EXPECT_EQ(faults.ids, clip.labels) << strip << " at " << speed << (dropped ? ", dropped" : "");
      }
    }
  }
}

TEST(Tracker, FollowsABeltWhoseDroppedFramesAreNotNumbered) {
  for (const std::string strip : {"fruit_102_0000", "fruit_102_0001"}) {
    for (const int speed : {40, 120, 160, 200}) {
      BeltClip clip = belt_clip(strip, speed, true);
      for (std::size_t i = 0; i < clip.frames.size(); ++i) clip.frames[i].number = i + 1;
      Tracker tracker({});
      const Faults faults = follow(clip, tracker);
      EXPECT_EQ(faults.switches, 0) << strip << " at " << speed;
      EXPECT_EQ(faults.ids, clip.labels) << strip << " at " << speed;
    }
  }
}

TEST(Tracker, FollowsABeltThatStopsAndStarts) {
  for (const int speed : {120, 240, 320}) {
    BeltClip clip;
    std::uint64_t number = 0;
    for (const BeltFrame& frame : belt_clip("fruit_102_0001", speed, false).frames) {
      const int shown = number % 17 == 9 ? 6 : 1;  // now and then it stands still
      for (int i = 0; i < shown; ++i) {
        clip.frames.push_back(frame);
        clip.frames.back().number = ++number;
      }
    }
    Tracker tracker({});
    const Faults faults = follow(clip, tracker);
    EXPECT_EQ(faults.switches, 0) << speed;
    EXPECT_EQ(faults.shared, 0) << speed;
  }
}

TEST(Tracker, GivesIdsFromOneAndNeverAgain) {
  Tracker tracker({.lost_frames = 2});
  EXPECT_THAT(ids(tracker.update(1, kPicture, std::vector{box_at(10, 10), box_at(200, 10)})),
              ElementsAre(1, 2));
  for (std::uint64_t frame = 2; frame < 10; ++frame) EXPECT_TRUE(tracker.update(frame, kPicture, {}).empty());
  EXPECT_TRUE(tracker.state().tracks.empty());
  EXPECT_THAT(ids(tracker.update(10, kPicture, std::vector{box_at(10, 10)})), ElementsAre(3));
}

TEST(Tracker, ConfirmsWhatItSeesASecondTime) {
  Tracker tracker({});
  EXPECT_TRUE(tracker.update(1, kPicture, std::vector{box_at(10, 10)})[0].confirmed)
      << "the first frame's objects were there before";
  const auto second = tracker.update(2, kPicture, std::vector{box_at(10, 10), box_at(300, 300)});
  EXPECT_TRUE(second[0].confirmed);
  EXPECT_FALSE(second[1].confirmed);
  EXPECT_TRUE(tracker.update(3, kPicture, std::vector{box_at(10, 10), box_at(301, 300)})[1].confirmed);
}

TEST(Tracker, KeepsTheIdThroughAnOcclusionWithinTheBuffer) {
  for (const std::uint64_t hidden : {5U, 30U, 40U}) {
    Tracker tracker({.lost_frames = 30});
    std::uint64_t frame = 1;
    for (; frame <= 10; ++frame) {
      EXPECT_THAT(
          ids(tracker.update(frame, kPicture, std::vector{box_at(3.0F * static_cast<float>(frame), 50)})),
          ElementsAre(1));
    }
    // The last sighting was in frame 10; it is seen again in 10 + hidden.
    for (; frame < 10 + hidden; ++frame) EXPECT_TRUE(tracker.update(frame, kPicture, {}).empty());
    EXPECT_THAT(
        ids(tracker.update(frame, kPicture, std::vector{box_at(3.0F * static_cast<float>(frame), 50)})),
        ElementsAre(hidden <= 30 ? 1 : 2))
        << hidden;
  }
}

TEST(Tracker, GoesOnWithWeakBoxesButBeginsNoTrackWithThem) {
  Tracker tracker({});
  Seen weak = box_at(12, 10);
  weak.sure = false;
  EXPECT_THAT(ids(tracker.update(1, kPicture, std::vector{weak})), ElementsAre(0));
  EXPECT_THAT(ids(tracker.update(2, kPicture, std::vector{box_at(10, 10)})), ElementsAre(1));
  EXPECT_THAT(ids(tracker.update(3, kPicture, std::vector{box_at(11, 10)})), ElementsAre(1));
  EXPECT_THAT(ids(tracker.update(4, kPicture, std::vector{weak})), ElementsAre(1));
}

TEST(Tracker, KeepsClassesApartUnlessToldOtherwise) {
  for (const bool per_class : {true, false}) {
    Tracker tracker({.per_class = per_class});
    tracker.update(1, kPicture, std::vector{box_at(10, 10, 40, 0)});
    EXPECT_THAT(ids(tracker.update(2, kPicture, std::vector{box_at(10, 10, 40, 1)})),
                ElementsAre(per_class ? 2 : 1));
  }
}

TEST(Tracker, DoesNotCareForTheOrderOfBoxes) {
  std::mt19937 random(11);
  for (const int speed : {40, 180}) {
    const BeltClip clip = belt_clip("fruit_102_0000", speed, true);
    Tracker straight({});
    Tracker shuffled({});
    for (const BeltFrame& frame : clip.frames) {
      std::vector<Seen> boxes;
      for (const BeltItem& item : frame.items) boxes.push_back({.class_id = item.class_id, .box = item.box});
      const auto expected = straight.update(frame.number, clip.picture, boxes);
      std::vector<std::size_t> order(boxes.size());
      std::iota(order.begin(), order.end(), 0);
      std::ranges::shuffle(order, random);
      std::vector<Seen> mixed;
      for (const std::size_t i : order) mixed.push_back(boxes[i]);
      const auto got = shuffled.update(frame.number, clip.picture, mixed);
      for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(got[i].id, expected[order[i]].id);
    }
  }
}

TEST(Tracker, NeverPutsAnIdOnTwoBoxesOfAFrame) {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> place(-20, 620);
  std::uniform_real_distribution<float> side(1, 200);
  Tracker tracker({.lost_frames = 5});
  std::uint64_t last = 0;
  for (std::uint64_t frame = 1; frame < 300; frame += 1 + random() % 3) {
    std::vector<Seen> boxes(random() % 25);
    for (Seen& seen : boxes) {
      seen = box_at(place(random), place(random), side(random), static_cast<int>(random() % 2));
      seen.sure = random() % 3 != 0;
    }
    std::set<std::uint64_t> seen_ids;
    for (const TrackOf& track : tracker.update(frame, kPicture, boxes)) {
      EXPECT_TRUE(track.id == 0 || seen_ids.insert(track.id).second) << "frame " << frame;
    }
    EXPECT_GE(tracker.state().last_id, last);
    last = tracker.state().last_id;
  }
}

TEST(Tracker, LeavesOutBoxesThatAreNone) {
  Tracker tracker({});
  Seen inside_out = box_at(50, 50);
  std::swap(inside_out.box.x1, inside_out.box.x2);
  Seen endless = box_at(50, 50);
  endless.box.x2 = std::numeric_limits<float>::infinity();
  EXPECT_THAT(ids(tracker.update(1, kPicture, std::vector{inside_out, endless, box_at(1, 1)})),
              ElementsAre(0, 0, 1));
}

TEST(Tracker, IsBoundedInBoxesAndTracks) {
  Tracker tracker({.lost_frames = 1000});
  for (std::uint64_t frame = 1; frame < 5; ++frame) {
    std::vector<Seen> boxes;
    for (int i = 0; i < 400; ++i) {
      const int row = i / 20;
      boxes.push_back(
          box_at(static_cast<float>(i % 20) * 30, static_cast<float>(row) * 20, 10, static_cast<int>(frame)));
    }
    const auto tracks = tracker.update(frame, kPicture, boxes);
    EXPECT_EQ(std::ranges::count(tracks, 0U, &TrackOf::id), 400 - Tracker::kMaxBoxes);
    EXPECT_LE(tracker.state().tracks.size(), Tracker::kMaxTracks);
  }
}

TEST(Tracker, BeginsAnewWhereFramesCountFromTheStartAgain) {
  Tracker tracker({});
  tracker.update(7, kPicture, std::vector{box_at(10, 10)});
  EXPECT_THAT(ids(tracker.update(1, kPicture, std::vector{box_at(10, 10)})), ElementsAre(2));
}

TEST(Tracker, GoesOnFromAStateThatWasKept) {
  const BeltClip clip = belt_clip("fruit_102_0001", 90, true);
  Tracker whole({});
  Tracker first({});
  for (std::size_t i = 0; i < clip.frames.size(); ++i) {
    std::vector<Seen> boxes;
    for (const BeltItem& item : clip.frames[i].items)
      boxes.push_back({.class_id = item.class_id, .box = item.box});
    Tracker second({});
    second.restore(first.state());
    first = second;
    EXPECT_EQ(ids(whole.update(clip.frames[i].number, clip.picture, boxes)),
              ids(first.update(clip.frames[i].number, clip.picture, boxes)));
  }
}

}  // namespace
}  // namespace bascule::tasks::vision
