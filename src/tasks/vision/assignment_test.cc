#include "tasks/vision/assignment.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

#include <gmock/gmock.h>

namespace bascule::tasks::vision {
namespace {

using testing::ElementsAre;

double cost_of(const std::vector<int>& columns, std::span<const double> costs, std::size_t width,
               double limit) {
  double sum = 0;
  for (std::size_t row = 0; row < columns.size(); ++row) {
    sum += columns[row] < 0 ? limit : costs[row * width + static_cast<std::size_t>(columns[row])];
  }
  return sum;
}

// Every way of pairing, a row may stay alone.
double least(std::span<const double> costs, std::size_t rows, std::size_t columns, double limit) {
  std::vector<int> slots(columns + rows, -1);
  std::iota(slots.begin(), slots.begin() + static_cast<std::ptrdiff_t>(columns), 0);
  std::ranges::sort(slots);
  double best = std::numeric_limits<double>::infinity();
  do {
    best = std::min(best, cost_of({slots.begin(), slots.begin() + static_cast<std::ptrdiff_t>(rows)}, costs,
                                  columns, limit));
  } while (std::ranges::next_permutation(slots).found);
  return best;
}

TEST(Assignment, TakesTheCheapestPairsOfAll) {
  EXPECT_THAT(assign(std::vector<double>{0.1, 0.2,  //
                                         0.15, 0.9},
                     2, 2, 1),
              ElementsAre(1, 0));
}

TEST(Assignment, LeavesAloneWhatCostsTheLimit) {
  EXPECT_THAT(assign(std::vector<double>{0.8, 0.9, 0.1, 0.85}, 2, 2, 0.8), ElementsAre(-1, 0));
  EXPECT_THAT(assign(std::vector<double>{std::numeric_limits<double>::quiet_NaN()}, 1, 1, 1),
              ElementsAre(-1));
  EXPECT_THAT(assign({}, 2, 0, 1), ElementsAre(-1, -1));
  EXPECT_TRUE(assign({}, 0, 3, 1).empty());
}

TEST(Assignment, IsAsGoodAsTryingEveryPairing) {
  std::mt19937 random(7);  // the seed is the test's name for what it saw
  std::uniform_real_distribution<double> cost(0, 1);
  for (int round = 0; round < 300; ++round) {
    const std::size_t rows = 1 + random() % 4;
    const std::size_t columns = 1 + random() % 4;
    std::vector<double> costs(rows * columns);
    std::ranges::generate(costs, [&] { return cost(random); });
    const auto columns_of = assign(costs, rows, columns, 0.6);
    std::vector<int> used;
    std::ranges::copy_if(columns_of, std::back_inserter(used), [](int column) { return column >= 0; });
    std::ranges::sort(used);
    EXPECT_EQ(std::ranges::adjacent_find(used), used.end()) << "a column has two rows, round " << round;
    EXPECT_NEAR(cost_of(columns_of, costs, columns, 0.6), least(costs, rows, columns, 0.6), 1e-12)
        << "round " << round;
  }
}

}  // namespace
}  // namespace bascule::tasks::vision
