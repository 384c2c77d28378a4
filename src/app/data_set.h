#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace bascule::app {

// Labelled pictures.
// Thread-safety: a value.
struct DataSet {
  std::vector<std::filesystem::path> pictures;  // in the order of their names
  std::map<int, std::string> names;             // of the classes; empty where the data set does not say
};

// The pictures of a data set: a folder with `images` (or one of pictures alone), or the YAML file that
// describes one, whose paths are relative to its `path`, and that to the file. Folders are searched to their
// ends. Errors: kNotFound for what is not there or holds no picture; of config::read_data_yaml.
Result<DataSet> find_data_set(const std::filesystem::path& data, const std::string& split);

// Where a picture's labels are: the last folder `images` of its path becomes `labels`, the extension `.txt`.
[[nodiscard]] std::filesystem::path labels_of(const std::filesystem::path& picture);

}  // namespace bascule::app
