#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "content/prediction.h"

namespace bascule::conformance {

// How far an answer may be from the reference package's.
inline constexpr double kBoxTolerance = 0.2;  // pixels of the original picture, per coordinate
inline constexpr double kConfidenceTolerance = 0.002;
inline constexpr double kThresholdTolerance = 0.0005;  // rows this close to the threshold may come or go

struct ExpectedRow {
  std::string name;
  content::Detection detection;
};

struct ExpectedPicture {
  std::string file;
  content::PictureSize size;
  double confidence = 0;  // the threshold used
  std::vector<ExpectedRow> rows;
};

// The reference package's answers of one model, as a file of tests/data/expected has them.
struct ExpectedSet {
  std::string model;
  double iou = 0;
  int size = 0;
  std::vector<ExpectedPicture> pictures;
};

// Precondition: the file is there and is one of ours; throws otherwise, which fails the test.
inline ExpectedSet read_expected(const std::filesystem::path& file) {
  std::ifstream stream(file);
  const auto json = nlohmann::json::parse(stream);
  ExpectedSet set{.model = json.at("model"),
                  .iou = json.at("args").at("iou"),
                  .size = json.at("args").at("imgsz"),
                  .pictures = {}};
  for (const auto& [name, picture] : json.at("images").items()) {
    ExpectedPicture one{.file = name,
                        .size = {.height = picture.at("shape").at(0), .width = picture.at("shape").at(1)},
                        .confidence = picture.at("conf"),
                        .rows = {}};
    for (const auto& row : picture.at("results")) {
      const auto& box = row.at("box");
      one.rows.push_back({.name = row.at("name"),
                          .detection = {.class_id = row.at("class"),
                                        .confidence = row.at("confidence"),
                                        .box = {box.at("x1"), box.at("y1"), box.at("x2"), box.at("y2")}}});
    }
    set.pictures.push_back(std::move(one));
  }
  return set;
}

// The worst that was seen, and how much was compared.
struct Deviation {
  double box = 0;
  double confidence = 0;
  std::size_t pictures = 0;
  std::size_t rows = 0;
  std::size_t near_threshold = 0;  // rows that only one side has, which is allowed

  [[nodiscard]] std::string text() const {
    return fmt::format(
        "worst deviation {:.4f} px, {:.5f} confidence, over {} rows of {} pictures; {} rows at the threshold",
        box, confidence, rows, pictures, near_threshold);
  }
};

inline double distance(const content::Box& a, const content::Box& b) {
  const auto apart = [](float left, float right) {
    const double d = std::abs(static_cast<double>(left) - static_cast<double>(right));
    return std::isnan(d) ? INFINITY : d;
  };
  return std::max({apart(a.x1, b.x1), apart(a.y1, b.y1), apart(a.x2, b.x2), apart(a.y2, b.y2)});
}

// Pairs every expected row with the nearest unused row of its class. One sentence for each row that is
// missing, extra or too far off; the worst of all pairs goes into `deviation`.
inline std::vector<std::string> compare(const ExpectedPicture& expected,
                                        std::vector<content::Detection> found, Deviation& deviation) {
  std::vector<std::string> complaints;
  const auto at_threshold = [&](float confidence) {
    return std::abs(static_cast<double>(confidence) - expected.confidence) <= kThresholdTolerance;
  };
  ++deviation.pictures;
  for (const ExpectedRow& row : expected.rows) {
    const content::Detection& want = row.detection;
    auto best = found.end();
    for (auto it = found.begin(); it != found.end(); ++it) {
      if (it->class_id != want.class_id) continue;
      if (best == found.end() || distance(it->box, want.box) < distance(best->box, want.box)) best = it;
    }
    const double off = best == found.end() ? INFINITY : distance(best->box, want.box);
    const double unsure = best == found.end() ? INFINITY : std::abs(best->confidence - want.confidence);
    if (off > kBoxTolerance || unsure > kConfidenceTolerance) {
      if (at_threshold(want.confidence)) {
        ++deviation.near_threshold;
        continue;
      }
      complaints.push_back(fmt::format(
          "{}: {} {:.3f} at ({:.1f}, {:.1f}, {:.1f}, {:.1f}) is missing; the nearest is {:.3f} px and "
          "{:.4f} away",
          expected.file, row.name, want.confidence, want.box.x1, want.box.y1, want.box.x2, want.box.y2, off,
          unsure));
      continue;
    }
    deviation.box = std::max(deviation.box, off);
    deviation.confidence = std::max(deviation.confidence, unsure);
    ++deviation.rows;
    found.erase(best);
  }
  for (const content::Detection& extra : found) {
    if (at_threshold(extra.confidence)) {
      ++deviation.near_threshold;
    } else {
      complaints.push_back(fmt::format("{}: class {} {:.4f} at ({:.1f}, {:.1f}, {:.1f}, {:.1f}) is too much",
                                       expected.file, extra.class_id, extra.confidence, extra.box.x1,
                                       extra.box.y1, extra.box.x2, extra.box.y2));
    }
  }
  return complaints;
}

}  // namespace bascule::conformance
