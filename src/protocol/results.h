#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "content/prediction.h"

namespace bascule::protocol {

// How the numbers of a picture's results are written.
// Thread-safety: a value.
struct NumberStyle {
  bool normalize = false;  // boxes as parts of the picture's width and height
  int decimals = 5;        // 0 to 10
};

// Appends `,"key":value…` of the item with this number.
using AppendMore = std::function<void(std::string& out, std::size_t row)>;

// Appends the items of a JSON list, without its brackets: what a picture shows, as the predict call answers,
// in the order and with the keys of the reference package's summary(). `more`, where given, adds to each item
// of detections. A depth map has no items.
void append_results(std::string& out, const content::Prediction& prediction, const content::ClassNames& names,
                    const NumberStyle& style, const AppendMore& more = {});
// The same for detections alone.
void append_results(std::string& out, const content::Detections& found, const content::ClassNames& names,
                    const NumberStyle& style, const AppendMore& more = {});

}  // namespace bascule::protocol
