#pragma once

#include <filesystem>
#include <vector>

namespace bascule::backend {

// The files in which a model's weights lie beside it: .bin of .xml, .pdiparams of .pdmodel, what a
// saved_model.pb has in `variables`, and what an ONNX file names, as far as that lies below its folder.
// Whether they are there is not asked.
[[nodiscard]] std::vector<std::filesystem::path> weight_files(const std::filesystem::path& model);

}  // namespace bascule::backend
