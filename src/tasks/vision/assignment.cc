#include "tasks/vision/assignment.h"

#include <limits>

#include "base/check.h"

namespace bascule::tasks::vision {
namespace {

// The costs as the solver wants them: no more rows than columns, nothing above the limit.
class Matrix {
 public:
  Matrix(std::span<const double> costs, std::size_t rows, std::size_t columns, double limit)
      : costs_(costs), columns_(columns), turned_(rows > columns), limit_(limit) {}

  [[nodiscard]] double at(std::size_t row, std::size_t column) const {
    const double cost = turned_ ? costs_[column * columns_ + row] : costs_[row * columns_ + column];
    return cost < limit_ ? cost : limit_;
  }
  [[nodiscard]] bool turned() const { return turned_; }

 private:
  const std::span<const double> costs_;
  const std::size_t columns_;
  const bool turned_;
  const double limit_;
};

// The row of each column, from 1; 0: none. Row after row is added, each along the cheapest way through the
// columns that are taken, by reduced costs. Entry 0 of each list is the row that looks for a place.
std::vector<std::size_t> solve(const Matrix& costs, std::size_t rows, std::size_t columns) {
  constexpr double kFar = std::numeric_limits<double>::infinity();
  std::vector<double> row_potential(rows + 1, 0);
  std::vector<double> column_potential(columns + 1, 0);
  std::vector<std::size_t> row_of(columns + 1, 0);
  std::vector<std::size_t> came_from(columns + 1, 0);
  for (std::size_t row = 1; row <= rows; ++row) {
    row_of[0] = row;
    std::size_t column = 0;
    std::vector<double> distance(columns + 1, kFar);
    std::vector<bool> done(columns + 1, false);
    do {
      done[column] = true;
      const std::size_t from = row_of[column];
      std::size_t next = 0;
      double step = kFar;
      for (std::size_t j = 1; j <= columns; ++j) {
        if (done[j]) continue;
        const double reduced = costs.at(from - 1, j - 1) - row_potential[from] - column_potential[j];
        if (reduced < distance[j]) {
          distance[j] = reduced;
          came_from[j] = column;
        }
        if (distance[j] < step) {
          step = distance[j];
          next = j;
        }
      }
      for (std::size_t j = 0; j <= columns; ++j) {
        if (done[j]) {
          row_potential[row_of[j]] += step;
          column_potential[j] -= step;
        } else {
          distance[j] -= step;
        }
      }
      column = next;
    } while (row_of[column] != 0);
    for (; column != 0; column = came_from[column]) row_of[column] = row_of[came_from[column]];
  }
  return row_of;
}

}  // namespace

std::vector<int> assign(std::span<const double> costs, std::size_t rows, std::size_t columns, double limit) {
  BASCULE_CHECK(costs.size() == rows * columns);
  std::vector<int> column_of(rows, -1);
  if (costs.empty()) return column_of;
  const Matrix matrix(costs, rows, columns, limit);
  const std::vector<std::size_t> row_of =
      matrix.turned() ? solve(matrix, columns, rows) : solve(matrix, rows, columns);
  for (std::size_t j = 1; j < row_of.size(); ++j) {
    if (row_of[j] == 0) continue;
    const std::size_t row = matrix.turned() ? j - 1 : row_of[j] - 1;
    const std::size_t column = matrix.turned() ? row_of[j] - 1 : j - 1;
    if (costs[row * columns + column] < limit) column_of[row] = static_cast<int>(column);
  }
  return column_of;
}

}  // namespace bascule::tasks::vision
