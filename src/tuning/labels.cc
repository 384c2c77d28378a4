#include "tuning/labels.h"

namespace bascule::tuning {

std::vector<Truth> truths_of(const std::vector<content::Label>& labels, content::PictureSize picture) {
  std::vector<Truth> out;
  out.reserve(labels.size());
  for (const content::Label& label : labels) {
    out.push_back({.class_id = label.class_id, .box = content::box_of(label, picture)});
  }
  return out;
}

}  // namespace bascule::tuning
