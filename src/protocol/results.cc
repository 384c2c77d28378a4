#include "protocol/results.h"

#include <utility>
#include <variant>

#include "protocol/results_numbers.h"

namespace bascule::protocol {
namespace {

// The items of "results", one writer for each kind of prediction.
struct Rows {
  std::string& out;
  const content::ClassNames& names;
  const NumberStyle& style;
  const AppendMore& more;

  void operator()(const content::Detections& found) const {
    const Numbers numbers(out, found.picture, style);
    for (std::size_t i = 0; i < found.rows.size(); ++i) {
      const content::Detection& row = found.rows[i];
      append_name(out, i == 0, row.class_id, names);
      numbers.plain(R"(,"confidence":)", row.confidence);
      out += R"(,"box":)";
      if (found.corners.empty()) {
        numbers.box(row.box);
      } else {
        numbers.corners(found.corners[i]);
      }
      if (!found.outlines.empty()) numbers.outline(found.outlines[i]);
      if (!found.keypoints.empty()) numbers.keypoints(found.keypoints[i], found.tells_visible);
      if (more) more(out, i);
      out += '}';
    }
  }

  void operator()(const content::Classification& found) const {
    const Numbers numbers(out, found.picture, style);
    for (bool first = true; const content::RankedClass& row : found.best) {
      append_name(out, std::exchange(first, false), row.class_id, names);
      numbers.plain(R"(,"confidence":)", row.confidence);
      out += '}';
    }
  }

  void operator()(const content::ClassMap& map) const {
    const Numbers numbers(out, map.picture, style);
    bool first = true;
    for (const content::ClassMap::Share& share : map.shares) {
      const auto class_id = content::class_of(share, names);
      if (!class_id) continue;
      append_name(out, std::exchange(first, false), *class_id, names);
      numbers.plain(R"(,"pixel_ratio":)", share.of_pixels);
      out += '}';
    }
  }

  void operator()(const content::DepthMap& /*has no objects*/) const {}
};

}  // namespace

void append_results(std::string& out, const content::Prediction& prediction, const content::ClassNames& names,
                    const NumberStyle& style, const AppendMore& more) {
  std::visit(Rows{out, names, style, more}, prediction);
}

void append_results(std::string& out, const content::Detections& found, const content::ClassNames& names,
                    const NumberStyle& style, const AppendMore& more) {
  Rows{out, names, style, more}(found);
}

}  // namespace bascule::protocol
