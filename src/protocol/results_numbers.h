#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "content/prediction.h"
#include "protocol/json.h"
#include "protocol/results.h"

namespace bascule::protocol {

// Numbers as the caller wants them: rounded, and lengths as parts of the picture where that was asked for.
// Thread-safety: external (one thread).
class Numbers {
 public:
  Numbers(std::string& out, const content::PictureSize& picture, const NumberStyle& style)
      : out_(out),
        width_(style.normalize ? picture.width : 1),
        height_(style.normalize ? picture.height : 1),
        decimals_(style.decimals) {}

  void plain(std::string_view head, double value) const {
    out_ += head;
    append_rounded(out_, value, decimals_);
  }
  void across(std::string_view head, double x) const { plain(head, x / width_); }
  void down(std::string_view head, double y) const { plain(head, y / height_); }

  void box(const content::Box& box) const {
    across(R"({"x1":)", box.x1);
    down(R"(,"y1":)", box.y1);
    across(R"(,"x2":)", box.x2);
    down(R"(,"y2":)", box.y2);
    out_ += '}';
  }

  void corners(const std::array<content::Point, 4>& corners) const {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kHeads = {
        {{R"({"x1":)", R"(,"y1":)"},
         {R"(,"x2":)", R"(,"y2":)"},
         {R"(,"x3":)", R"(,"y3":)"},
         {R"(,"x4":)", R"(,"y4":)"}}};
    for (std::size_t i = 0; i < corners.size(); ++i) {
      across(kHeads[i].first, corners[i].x);
      down(kHeads[i].second, corners[i].y);
    }
    out_ += '}';
  }

  // `"x":[…],"y":[…]`; `point_of` gives the point of an item.
  template <class Items, class PointOf>
  void points(const Items& items, PointOf point_of) const {
    out_ += R"("x":[)";
    for (bool first = true; const auto& item : items)
      across(std::exchange(first, false) ? "" : ",", point_of(item).x);
    out_ += R"(],"y":[)";
    for (bool first = true; const auto& item : items)
      down(std::exchange(first, false) ? "" : ",", point_of(item).y);
    out_ += ']';
  }

  void keypoints(const std::vector<content::Keypoint>& keypoints, bool tells_visible) const {
    out_ += R"(,"keypoints":{)";
    points(keypoints, [](const content::Keypoint& one) { return one.at; });
    if (tells_visible) {
      out_ += R"(,"visible":[)";
      for (bool first = true; const content::Keypoint& one : keypoints) {
        plain(std::exchange(first, false) ? "" : ",", one.visible);
      }
      out_ += ']';
    }
    out_ += '}';
  }

  void outline(const std::vector<content::Point>& outline) const {
    out_ += R"(,"segments":{)";
    points(outline, [](const content::Point& one) { return one; });
    out_ += '}';
  }

 private:
  std::string& out_;
  const double width_;
  const double height_;
  const int decimals_;
};

// How every row begins.
inline void append_name(std::string& out, bool first, int class_id, const content::ClassNames& names) {
  out += first ? R"({"name":)" : R"(,{"name":)";
  text::append_json_quoted(out, content::name_of(class_id, names));
  out += R"(,"class":)";
  append_number(out, std::int64_t{class_id});
}

}  // namespace bascule::protocol
