#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "content/model_info.h"
#include "content/picture.h"
#include "content/prediction.h"

namespace bascule::tasks {

// What the exporter of the Ultralytics package writes into a model file (ultralytics 8.4,
// engine/exporter.py). Everything may be absent. Thread-safety: a value.
struct ModelMetadata {
  std::string task;     // "detect", "segment", …: in the file's own words
  std::string head;     // class of the last module: "Detect", "RTDETRDecoder", …
  std::string version;  // of the package
  int stride = 0;       // 0: absent
  std::optional<content::PictureSize> picture_size;
  content::ClassNames class_names;
  struct Keypoints {
    int count = 0;
    int numbers = 0;  // of each: 2 are x and y, 3 say how visible it is, too
  };
  std::optional<Keypoints> keypoints;  // of each object
  bool end2end = false;                // rows of six come out, nothing is left to suppress
  bool embedded_nms = false;

  std::vector<content::Fact> problems;  // entries that were there but could not be used, and why
};

// Reads the free key-value pairs of a model file. Never fails: what is hostile or damaged is left out and
// named in `problems`.
[[nodiscard]] ModelMetadata read_model_metadata(const std::map<std::string, std::string>& pairs);

}  // namespace bascule::tasks
