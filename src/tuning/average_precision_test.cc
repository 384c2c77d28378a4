#include "tuning/average_precision.h"

#include <vector>

#include <gtest/gtest.h>

namespace bascule::tuning {
namespace {

using content::Box;
using content::Detection;

// A box of 100 x 10 at a place of its own, cut to a part of its width: so much it overlaps the whole.
Box box_at(int place, double part = 1) {
  const auto left = static_cast<float>(1000 * place);
  return {left, 0, left + static_cast<float>(100 * part), 10};
}

// One that is right at the first `thresholds`.
double part_of(int thresholds) { return 0.5 + 0.05 * (thresholds - 1) + 0.02; }

struct Row {
  int class_id;
  float confidence;
  int right;  // thresholds
};

struct Expected {
  int class_id;
  double precision, recall, ap50, ap;
};

struct Case {
  const char* name;
  std::vector<Row> rows;
  std::vector<std::pair<int, int>> truths;  // class, how many
  std::vector<Expected> expected;
};

// The expected figures are those of the reference package's ap_per_class.
TEST(Tally, CountsAsTheReference) {
  const Case cases[] = {
      {"one right", {{0, .9F, 10}}, {{0, 1}}, {{0, 1, 1, .995, .995}}},
      {"a wrong one behind", {{0, .9F, 10}, {0, .8F, 0}}, {{0, 1}}, {{0, .749249, 1, .995, .995}}},
      {"a wrong one before", {{0, .9F, 0}, {0, .8F, 10}}, {{0, 1}}, {{0, .5, 1, .4975, .4975}}},
      {"some overlap more",
       {{0, .9F, 10}, {0, .8F, 3}, {0, .7F, 0}, {0, .6F, 6}},
       {{0, 4}},
       {{0, .75, .75, .6825, .41375}}},
      {"three classes, one that is not there",
       {{0, .9F, 10}, {1, .8F, 5}, {1, .3F, 10}, {2, .95F, 0}},
       {{0, 2}, {1, 2}, {3, 1}},
       {{0, 1, .5, .495, .495}, {1, 1, 1, .995, .62125}, {3, 0, 0, 0, 0}}},
      {"nothing found", {}, {{0, 2}}, {{0, 0, 0, 0, 0}}},
      {"only another class found", {{1, .5F, 0}}, {{0, 2}}, {{0, 0, 0, 0, 0}}},
      {"equally sure",
       {{0, .5F, 10}, {0, .5F, 0}, {0, .5F, 10}},
       {{0, 2}},
       {{0, .666667, 1, .828333, .828333}}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<Truth> truths;
    for (const auto& [class_id, count] : c.truths) {
      for (int i = 0; i < count; ++i) {
        truths.push_back({.class_id = class_id, .box = box_at(static_cast<int>(truths.size()))});
      }
    }
    std::vector<bool> used(truths.size());
    std::vector<Detection> found;
    for (const Row& row : c.rows) {
      Box box = box_at(100 + static_cast<int>(found.size()));
      for (std::size_t i = 0; row.right > 0 && i < truths.size(); ++i) {
        if (used[i] || truths[i].class_id != row.class_id) continue;
        used[i] = true;
        box = box_at(static_cast<int>(i), part_of(row.right));
        break;
      }
      found.push_back({.class_id = row.class_id, .confidence = row.confidence, .box = box});
    }
    Tally tally;
    tally.add(found, truths);
    const Score score = tally.score();
    ASSERT_EQ(score.classes.size(), c.expected.size());
    for (std::size_t i = 0; i < c.expected.size(); ++i) {
      const Expected& e = c.expected[i];
      EXPECT_EQ(score.classes[i].class_id, e.class_id);
      EXPECT_NEAR(score.classes[i].precision, e.precision, 1e-5);
      EXPECT_NEAR(score.classes[i].recall, e.recall, 1e-5);
      EXPECT_NEAR(score.classes[i].ap50, e.ap50, 1e-5);
      EXPECT_NEAR(score.classes[i].ap, e.ap, 1e-5);
    }
  }
}

TEST(Tally, MeansAreOverTheClassesThatAreThere) {
  Tally tally;
  tally.add(std::vector<Detection>{{.class_id = 0, .confidence = .9F, .box = box_at(0)}},
            std::vector<Truth>{{0, box_at(0)}, {2, box_at(1)}, {2, box_at(2)}});
  tally.add({}, {});
  const Score score = tally.score();
  EXPECT_EQ(score.images, 2U);
  EXPECT_EQ(score.instances, 3U);
  EXPECT_NEAR(score.map50, .995 / 2, 1e-9);
  EXPECT_NEAR(score.map, .995 / 2, 1e-9);
  ASSERT_EQ(score.classes.size(), 2U);
  EXPECT_EQ(score.classes[1].images, 1U);
  EXPECT_EQ(score.classes[1].instances, 2U);
}

TEST(Tally, IsEmptyWithoutLabels) {
  Tally tally;
  tally.add(std::vector<Detection>{{.class_id = 0, .confidence = .9F, .box = box_at(0)}}, {});
  EXPECT_EQ(tally.score().images, 1U);
  EXPECT_EQ(tally.score().instances, 0U);
  EXPECT_TRUE(tally.score().classes.empty());
}

TEST(Judge, GivesATruthToOneDetectionAlone) {
  // Both overlap the one truth; the first, though it overlaps less, is surer and takes it where it may.
  const std::vector<Detection> found = {{.class_id = 0, .confidence = .9F, .box = box_at(0, .62)},
                                        {.class_id = 0, .confidence = .8F, .box = box_at(0, .97)}};
  const auto judged = judge(found, std::vector<Truth>{{0, box_at(0)}});
  ASSERT_EQ(judged.size(), 2U);
  for (std::size_t t = 0; t < kThresholds; ++t) {
    EXPECT_EQ(judged[0].right[t], t < 3) << t;
    EXPECT_EQ(judged[1].right[t], t >= 3) << t;
  }
}

TEST(Judge, TakesTheTruthThatIsOverlappedMostAndOfTheClass) {
  const std::vector<Truth> truths = {{0, {0, 0, 100, 10}}, {0, {20, 0, 120, 10}}, {1, {21, 0, 121, 10}}};
  const std::vector<Detection> found = {{.class_id = 0, .confidence = .9F, .box = {21, 0, 121, 10}},
                                        {.class_id = 0, .confidence = .8F, .box = {1, 0, 101, 10}},
                                        {.class_id = 2, .confidence = .7F, .box = {21, 0, 121, 10}}};
  const auto judged = judge(found, truths);
  EXPECT_TRUE(judged[0].right[8]);
  EXPECT_TRUE(judged[1].right[8]);
  EXPECT_FALSE(judged[2].right[0]);
}

}  // namespace
}  // namespace bascule::tuning
