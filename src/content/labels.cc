#include "content/labels.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::content {
namespace {

constexpr double kTolerance = 0.01;
constexpr std::size_t kBoxNumbers = 5;
constexpr std::size_t kLeastOutline = 7;  // a class and three points
constexpr std::string_view kBlank = " \t\r\f\v";

using Row = std::vector<float>;

class Reader {
 public:
  Reader(const std::string& file, const LabelRules& rules) : file_(file), rules_(rules) {}

  Result<std::vector<Label>> read(std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    std::vector<Label> labels;
    std::set<Row> seen;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      ++line_;
      BASCULE_ASSIGN(Row row, numbers(line));
      if (row.empty()) continue;
      BASCULE_ASSIGN(const Label label, label_of(row));
      if (seen.insert(std::move(row)).second) labels.push_back(label);
    }
    return labels;
  }

 private:
  [[nodiscard]] Error wrong(std::string_view what) const {
    return invalid_argument(fmt::format("{}:{}: {}", file_, line_, what));
  }

  Result<Row> numbers(std::string_view line) const {
    Row row;
    while (true) {
      const std::size_t begin = line.find_first_not_of(kBlank);
      if (begin == std::string_view::npos) return row;
      line.remove_prefix(begin);
      const std::string_view word = line.substr(0, line.find_first_of(kBlank));
      line.remove_prefix(word.size());
      const auto number = text::parse_double(word);
      if (!number || !std::isfinite(*number)) {
        return wrong(
            fmt::format("'{}' is no number; a line is 'class x y width height', or 'class x1 y1 x2 y2 "
                        "…' for an outline.",
                        text::escape_controls(text::shortened(word))));
      }
      row.push_back(static_cast<float>(*number));
    }
  }

  Result<Label> label_of(const Row& row) {
    const bool box = row.size() == kBoxNumbers || (rules_.keypoints && row.size() > kBoxNumbers);
    const bool outline = !box && row.size() >= kLeastOutline && row.size() % 2 == 1;
    if (!box && !outline) {
      return wrong(
          fmt::format("there are {} numbers; a box has 5 (class x y width height), an outline a class "
                      "and at least three pairs.",
                      row.size()));
    }
    if (outlines_ && *outlines_ != outline) {
      return wrong(fmt::format("this is {}, the lines before are {}; a file has one kind alone.",
                               outline ? "an outline" : "a box", outline ? "boxes" : "outlines"));
    }
    outlines_ = outline;
    const float class_id = row.front();
    if (class_id < 0 || class_id > 1e6F || std::floor(class_id) != class_id) {
      return wrong(fmt::format("{} is no class; classes are whole numbers from 0.", class_id));
    }
    if (rules_.classes > 0 && class_id >= static_cast<float>(rules_.classes)) {
      return wrong(
          fmt::format("there is no class {}; the data set has 0 to {}.", class_id, rules_.classes - 1));
    }
    const std::span<const float> places = std::span(row).subspan(1, outline ? row.size() - 1 : 4);
    for (const float place : places) {
      if (place < -kTolerance || place > 1 + kTolerance) {
        return wrong(fmt::format(
            "{} lies outside of the picture; places and sizes are parts of it, from 0 to 1.", place));
      }
    }
    Label label{.class_id = static_cast<int>(class_id)};
    if (outline) {
      take_outline(places, label);
      return label;
    }
    if (places[2] < 0 || places[3] < 0) {
      return wrong(fmt::format("a box of {} x {} has no size.", places[2], places[3]));
    }
    label.centre_x = places[0];
    label.centre_y = places[1];
    label.width = places[2];
    label.height = places[3];
    return label;
  }

  static void take_outline(std::span<const float> points, Label& label) {
    float left = points[0];
    float right = points[0];
    float top = points[1];
    float bottom = points[1];
    for (std::size_t i = 0; i + 1 < points.size(); i += 2) {
      left = std::min(left, points[i]);
      right = std::max(right, points[i]);
      top = std::min(top, points[i + 1]);
      bottom = std::max(bottom, points[i + 1]);
    }
    label.centre_x = (left + right) / 2;
    label.centre_y = (top + bottom) / 2;
    label.width = right - left;
    label.height = bottom - top;
  }

  const std::string& file_;
  const LabelRules& rules_;
  std::size_t line_ = 0;
  std::optional<bool> outlines_;
};

}  // namespace

Result<std::vector<Label>> read_labels(std::string_view text, const std::string& file,
                                       const LabelRules& rules) {
  return Reader(file, rules).read(text);
}

Box box_of(const Label& label, PictureSize picture) {
  const auto side = [](double centre, double size, int pixels) {
    return static_cast<float>((centre + size) * pixels);
  };
  return {side(label.centre_x, -label.width / 2, picture.width),
          side(label.centre_y, -label.height / 2, picture.height),
          side(label.centre_x, label.width / 2, picture.width),
          side(label.centre_y, label.height / 2, picture.height)};
}

}  // namespace bascule::content
