#include "tasks/vision/nms.h"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bascule::tasks::vision {
namespace {

using content::Box;
using content::Detection;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<Detection> objects_of(const std::vector<Candidate>& candidates) {
  std::vector<Detection> out;
  for (const Candidate& one : candidates) out.push_back(one.object);
  return out;
}

std::vector<Detection> suppressed(const std::vector<Detection>& candidates, const NmsLimits& limits = {}) {
  NmsScratch scratch;
  for (const Detection& one : candidates) scratch.candidates.push_back({.object = one});
  std::vector<Candidate> kept;
  suppress(limits, scratch, kept);
  return objects_of(kept);
}

std::vector<float> scores_of(const std::vector<Detection>& rows) {
  std::vector<float> scores;
  for (const Detection& row : rows) scores.push_back(row.confidence);
  return scores;
}

// One anchor as the raw head writes it.
struct Anchor {
  float x = 0, y = 0, width = 0, height = 0;
  std::vector<float> scores;
};

std::vector<Detection> collected(const std::vector<Anchor>& anchors, float confidence,
                                 const std::vector<int>& wanted = {}) {
  const std::size_t classes = anchors.front().scores.size();
  const std::size_t count = anchors.size();
  std::vector<float> planes((4 + classes) * count);
  for (std::size_t a = 0; a < count; ++a) {
    planes[a] = anchors[a].x;
    planes[count + a] = anchors[a].y;
    planes[2 * count + a] = anchors[a].width;
    planes[3 * count + a] = anchors[a].height;
    for (std::size_t c = 0; c < classes; ++c) planes[(4 + c) * count + a] = anchors[a].scores[c];
  }
  NmsScratch scratch;
  collect_candidates(planes, count, classes, {.confidence = confidence, .classes = wanted}, scratch);
  return objects_of(scratch.candidates);
}

TEST(CollectCandidates, TakesWhatIsStrictlyGreaterThanTheThreshold) {
  const auto rows = collected({{10, 20, 4, 6, {0.25F, 0.1F}},
                               {30, 40, 8, 2, {0.1F, 0.26F}},
                               {50, 60, 2, 2, {std::nextafter(0.25F, 1.0F), 0.0F}}},
                              0.25F);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].class_id, 1);
  EXPECT_EQ(rows[0].confidence, 0.26F);
  EXPECT_EQ(rows[0].box.x1, 26);
  EXPECT_EQ(rows[0].box.y1, 39);
  EXPECT_EQ(rows[0].box.x2, 34);
  EXPECT_EQ(rows[0].box.y2, 41);
  EXPECT_EQ(rows[1].class_id, 0);
}

TEST(CollectCandidates, GivesTheFirstOfEqualClasses) {
  EXPECT_EQ(collected({{0, 0, 1, 1, {0.1F, 0.7F, 0.7F}}}, 0.25F).front().class_id, 1);
}

TEST(CollectCandidates, DropsWhateverIsNotANumber) {
  const std::vector<Anchor> anchors = {{0, 0, 1, 1, {kNan, 0.9F}},
                                       {0, 0, 1, 1, {0.9F, kNan}},
                                       {kNan, 0, 1, 1, {0.9F, 0.1F}},
                                       {0, 0, 1, std::numeric_limits<float>::infinity(), {0.9F, 0.1F}},
                                       {7, 0, 1, 1, {0.9F, 0.1F}}};
  const auto rows = collected(anchors, 0.25F);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].box.x1, 6.5F);
}

// The scan goes by blocks: every anchor of a number that fills blocks and one that does not is seen.
TEST(CollectCandidates, SeesEveryAnchor) {
  for (const std::size_t count : {1U, 255U, 256U, 257U, 700U}) {
    std::vector<Anchor> anchors(count, Anchor{0, 0, 1, 1, {0, 0, 0}});
    for (std::size_t a = 0; a < count; ++a)
      anchors[a].scores[a % 3] = 0.5F + 0.4F / static_cast<float>(a + 1);
    const auto rows = collected(anchors, 0.25F);
    ASSERT_EQ(rows.size(), count);
    for (std::size_t a = 0; a < count; ++a) {
      EXPECT_EQ(rows[a].class_id, static_cast<int>(a % 3));
      EXPECT_EQ(rows[a].confidence, anchors[a].scores[a % 3]);
    }
  }
}

TEST(Suppress, DropsTheWeakerOfTwoThatOverlapInOneClass) {
  const Box box{0, 0, 10, 10};
  const Box near{1, 0, 11, 10};  // 90 of 110 shared: 0.818
  EXPECT_THAT(scores_of(suppressed({{0, 0.8F, near}, {0, 0.9F, box}})), testing::ElementsAre(0.9F));
  EXPECT_THAT(scores_of(suppressed({{0, 0.8F, near}, {1, 0.9F, box}})), testing::ElementsAre(0.9F, 0.8F));
  EXPECT_THAT(scores_of(suppressed({{0, 0.8F, near}, {0, 0.9F, box}}, {.iou = 0.82F})),
              testing::ElementsAre(0.9F, 0.8F));
}

TEST(Suppress, KeepsAnOverlapThatEqualsTheThreshold) {
  // 50 of 100 shared: exactly one half.
  const std::vector<Detection> pair = {{0, 0.9F, {0, 0, 10, 10}}, {0, 0.8F, {0, 0, 10, 5}}};
  EXPECT_EQ(suppressed(pair, {.iou = 0.5F}).size(), 2U);
  EXPECT_EQ(suppressed(pair, {.iou = 0.499F}).size(), 1U);
}

// b is dropped by a, so it cannot drop c.
TEST(Suppress, IsGreedy) {
  const auto kept = suppressed(
      {{0, 0.9F, {0, 0, 10, 10}}, {0, 0.8F, {4, 0, 14, 10}}, {0, 0.7F, {8, 0, 18, 10}}}, {.iou = 0.4F});
  EXPECT_THAT(scores_of(kept), testing::ElementsAre(0.9F, 0.7F));
}

TEST(Suppress, PutsTheEarlierOfEqualScoresFirst) {
  const auto kept =
      suppressed({{0, 0.5F, {100, 0, 110, 10}}, {0, 0.5F, {0, 0, 10, 10}}, {1, 0.6F, {0, 0, 1, 1}}});
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[1].box.x1, 100);
  EXPECT_EQ(kept[2].box.x1, 0);
}

// Boxes that are inside out overlap nothing; two areas that cancel to 0 / 0 fall out only where others
// overlap.
TEST(Suppress, FollowsTheReferenceWithBoxesInsideOut) {
  const Box whole{0, 0, 10, 10};
  const Box inside_out{10, 0, 0, 10};  // area -100
  EXPECT_EQ(suppressed({{0, 0.9F, whole}, {0, 0.8F, inside_out}}).size(), 2U);
  EXPECT_EQ(suppressed({{0, 0.9F, inside_out}, {0, 0.8F, inside_out}}).size(), 2U);
  const Box over{0, 0, 10, 9.9F};
  const auto kept = suppressed({{0, 0.9F, whole}, {0, 0.8F, inside_out}, {0, 0.7F, over}});
  EXPECT_THAT(scores_of(kept), testing::ElementsAre(0.9F));
}

TEST(Suppress, StopsAtTheNumberAskedFor) {
  std::vector<Detection> many;
  for (int i = 0; i < 1000; ++i) {
    const auto x = static_cast<float>(i * 20);
    many.push_back({0, 0.3F + 0.0005F * static_cast<float>(i), {x, 0, x + 10, 10}});
  }
  const auto kept = suppressed(many, {.max_detections = 300});
  ASSERT_EQ(kept.size(), 300U);
  EXPECT_EQ(kept.front().confidence, many.back().confidence);
  EXPECT_TRUE(suppressed({}).empty());
}

// A plain restatement of the rule by classes, without the offset, for boxes within a picture.
std::vector<Detection> by_definition(std::vector<Detection> rows, float iou) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Detection& a, const Detection& b) { return a.confidence > b.confidence; });
  std::vector<Detection> kept;
  for (const Detection& row : rows) {
    const auto area = [](const Box& b) { return (b.x2 - b.x1) * (b.y2 - b.y1); };
    const bool fresh = std::none_of(kept.begin(), kept.end(), [&](const Detection& other) {
      const float w = std::min(row.box.x2, other.box.x2) - std::max(row.box.x1, other.box.x1);
      const float h = std::min(row.box.y2, other.box.y2) - std::max(row.box.y1, other.box.y1);
      const float common = std::max(w, 0.0F) * std::max(h, 0.0F);
      return row.class_id == other.class_id && common / (area(row.box) + area(other.box) - common) > iou;
    });
    if (fresh) kept.push_back(row);
  }
  return kept;
}

TEST(Suppress, AgreesWithTheDefinition) {
  std::mt19937 random(7);
  const auto whole = [&random](int below) { return static_cast<float>(static_cast<int>(random() % below)); };
  for (int round = 0; round < 200; ++round) {
    std::vector<Detection> rows;
    for (int i = 0; i < 60; ++i) {
      const float x = whole(100);
      const float y = whole(100);
      rows.push_back({static_cast<int>(random() % 4),
                      0.25F + whole(700) / 1000,
                      {x, y, x + 1 + whole(60), y + 1 + whole(60)}});
    }
    const auto expected = by_definition(rows, 0.45F);
    const auto kept = suppressed(rows, {.iou = 0.45F});
    ASSERT_EQ(kept.size(), expected.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
      EXPECT_EQ(kept[i].class_id, expected[i].class_id);
      EXPECT_EQ(kept[i].box.x1, expected[i].box.x1);
    }
  }
}

TEST(CollectCandidates, TakesOnlyClassesThatAreWanted) {
  const std::vector<Anchor> anchors = {
      {1, 1, 2, 2, {0.9F, 0.8F, 0}}, {2, 2, 2, 2, {0, 0.7F, 0}}, {3, 3, 2, 2, {0, 0, 0.6F}}};
  const auto rows = collected(anchors, 0.25F, {2, 1});
  ASSERT_EQ(rows.size(), 2U) << "the first is of class 0, its second best does not count";
  EXPECT_EQ(rows[0].class_id, 1);
  EXPECT_EQ(rows[1].class_id, 2);
}

std::vector<float> rotated(const std::vector<Detection>& boxes, const std::vector<float>& angles,
                           const NmsLimits& limits = {}) {
  NmsScratch scratch;
  for (const Detection& box : boxes) {
    scratch.candidates.push_back({.object = box, .anchor = static_cast<int>(scratch.candidates.size())});
  }
  std::vector<Candidate> kept;
  suppress_rotated(limits, angles, scratch, kept);
  return scores_of(objects_of(kept));
}

// Boxes are centre x, centre y, width, height.
TEST(SuppressRotated, LooksAtTheAngle) {
  const Detection lying{.class_id = 0, .confidence = 0.9F, .box = {50, 50, 40, 4}};
  const Detection again{.class_id = 0, .confidence = 0.8F, .box = {51, 50, 40, 4}};
  constexpr float kRightAngle = 1.5707964F;
  EXPECT_THAT(rotated({lying, again}, {0, 0}), testing::ElementsAre(0.9F));
  EXPECT_THAT(rotated({lying, again}, {0, kRightAngle}), testing::ElementsAre(0.9F, 0.8F));
  EXPECT_THAT(rotated({lying, again}, {0, 2 * kRightAngle}), testing::ElementsAre(0.9F))
      << "half a turn is none";
}

TEST(SuppressRotated, KeepsClassesApart) {
  const Detection one{.class_id = 0, .confidence = 0.9F, .box = {50, 50, 40, 4}};
  const Detection other{.class_id = 1, .confidence = 0.8F, .box = {50, 50, 40, 4}};
  EXPECT_EQ(rotated({one, other}, {0, 0}).size(), 2U);
}

TEST(SuppressRotated, ASuppressedBoxSuppresses) {
  // Each overlaps its neighbour by enough, the first and the last do not: the reference keeps the first
  // alone.
  const auto at = [](float x, float confidence) {
    return Detection{.class_id = 0, .confidence = confidence, .box = {x, 50, 40, 40}};
  };
  const NmsLimits limits{.iou = 0.6F};
  EXPECT_THAT(rotated({at(50, 0.9F), at(70, 0.7F)}, {0, 0}, limits), testing::ElementsAre(0.9F, 0.7F));
  EXPECT_THAT(rotated({at(50, 0.9F), at(60, 0.8F), at(70, 0.7F)}, {0, 0, 0}, limits),
              testing::ElementsAre(0.9F));
}

TEST(SuppressRotated, StopsAtTheMost) {
  std::vector<Detection> far;
  for (int i = 0; i < 10; ++i) {
    far.push_back({.class_id = 0, .confidence = 0.5F, .box = {100.0F * static_cast<float>(i), 0, 10, 10}});
  }
  EXPECT_EQ(rotated(far, std::vector<float>(10), {.max_detections = 3}).size(), 3U);
}

TEST(Collect, CountsABoxForEachClassWhereItIsAsked) {
  // Two anchors, three classes; the first is sure enough for two, the second for one.
  const std::vector<float> planes = {10, 50, 10, 50, 4, 4, 4, 4, 0.9F, 0.1F, 0.2F, 0.6F, 0.7F, 0.3F};
  const std::vector<int> wanted = {0, 2};
  NmsScratch scratch;
  const NmsLimits every{.confidence = 0.5F, .every_class = true};
  collect_candidates(planes, 2, 3, every, scratch);
  EXPECT_THAT(scores_of(objects_of(scratch.candidates)), testing::ElementsAre(0.9F, 0.7F, 0.6F));
  EXPECT_EQ(scratch.candidates[1].object.class_id, 2);
  collect_candidates(planes, 2, 3, {.confidence = 0.5F, .classes = wanted, .every_class = true}, scratch);
  EXPECT_THAT(scores_of(objects_of(scratch.candidates)), testing::ElementsAre(0.9F, 0.7F));
  collect_candidates(planes, 2, 3, {.confidence = 0.5F}, scratch);
  EXPECT_THAT(scores_of(objects_of(scratch.candidates)), testing::ElementsAre(0.9F, 0.6F));
}

}  // namespace
}  // namespace bascule::tasks::vision
