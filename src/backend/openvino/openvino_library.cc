#include "backend/openvino/openvino_library.h"

#include <string_view>
#include <system_error>

#include "base/log.h"
#include "base/shared_library.h"
#include "base/text.h"

namespace bascule::backend::openvino {
namespace {

constexpr std::string_view kRemedy =
    "Without OpenVINO, ONNX files are served by onnxruntime. To have it: pip download openvino==2026.4.1 "
    "--no-deps, "
    "unpack the wheel, and name its folder openvino/libs with --openvino.";

// The engine writes to standard output where nobody takes its lines.
void forward_log(const char* message) {
  if (log::enabled(log::Level::kDebug)) {
    log::write(log::Level::kDebug, "openvino: " + text::escape_controls(text::trimmed(message)));
  }
}

Result<void> find_all(const SharedLibrary& from, Library& to) {
#define BASCULE_OPENVINO_FUNCTION(name) BASCULE_TRY(from.find("ov_" #name, to.name))
  BASCULE_OPENVINO_FUNCTION(get_openvino_version);
  BASCULE_OPENVINO_FUNCTION(version_free);
  BASCULE_OPENVINO_FUNCTION(get_last_err_msg);

  BASCULE_TRY(from.find("ov_free", to.string_free));
  BASCULE_OPENVINO_FUNCTION(util_set_log_callback);
  BASCULE_OPENVINO_FUNCTION(core_create);
  BASCULE_OPENVINO_FUNCTION(core_free);
  BASCULE_OPENVINO_FUNCTION(core_get_property);
  BASCULE_OPENVINO_FUNCTION(core_set_properties);
  BASCULE_OPENVINO_FUNCTION(core_compile_model_from_file_props);
  BASCULE_OPENVINO_FUNCTION(core_read_model);
  BASCULE_OPENVINO_FUNCTION(core_compile_model_props);
  BASCULE_OPENVINO_FUNCTION(model_reshape_single_input);
  BASCULE_OPENVINO_FUNCTION(model_free);
  BASCULE_OPENVINO_FUNCTION(compiled_model_free);
  BASCULE_OPENVINO_FUNCTION(compiled_model_inputs_size);
  BASCULE_OPENVINO_FUNCTION(compiled_model_outputs_size);
  BASCULE_OPENVINO_FUNCTION(compiled_model_input_by_index);
  BASCULE_OPENVINO_FUNCTION(compiled_model_output_by_index);
  BASCULE_OPENVINO_FUNCTION(compiled_model_create_infer_request);
  BASCULE_OPENVINO_FUNCTION(output_const_port_free);
  BASCULE_OPENVINO_FUNCTION(port_get_any_name);
  BASCULE_OPENVINO_FUNCTION(port_get_element_type);
  BASCULE_OPENVINO_FUNCTION(port_get_partial_shape);
  BASCULE_OPENVINO_FUNCTION(partial_shape_create_static);
  BASCULE_OPENVINO_FUNCTION(partial_shape_free);
  BASCULE_OPENVINO_FUNCTION(infer_request_free);
  BASCULE_OPENVINO_FUNCTION(infer_request_set_input_tensor_by_index);
  BASCULE_OPENVINO_FUNCTION(infer_request_get_output_tensor_by_index);
  BASCULE_OPENVINO_FUNCTION(infer_request_infer);
  BASCULE_OPENVINO_FUNCTION(tensor_create_from_host_ptr);
  BASCULE_OPENVINO_FUNCTION(tensor_free);
  BASCULE_OPENVINO_FUNCTION(tensor_get_shape);
  BASCULE_OPENVINO_FUNCTION(shape_free);
  BASCULE_OPENVINO_FUNCTION(tensor_data);
  BASCULE_OPENVINO_FUNCTION(tensor_get_byte_size);
#undef BASCULE_OPENVINO_FUNCTION
  return {};
}

// The path, or the name alone, for the system to look for.
std::string library_in(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  constexpr const char* kName = BASCULE_OPENVINO_LIBRARY;
  if (!folder.empty()) return (folder / kName).string();
  std::error_code code;
  const fs::path program = fs::read_symlink("/proc/self/exe", code).parent_path();
  // As it is installed, and as it was built.
  for (const fs::path& place :
       {program / "../lib/bascule", program / "../lib", fs::path(BASCULE_OPENVINO_FOLDER)}) {
    if (fs::exists(place / kName, code)) return (place / kName).string();
  }
  return kName;
}

}  // namespace

Result<std::shared_ptr<const Library>> Library::open(const std::filesystem::path& folder) {
  BASCULE_ASSIGN(const SharedLibrary library, SharedLibrary::open(library_in(folder), kRemedy));
  auto out = std::make_shared<Library>();
  BASCULE_TRY(find_all(library, *out));
  out->util_set_log_callback(forward_log);
  ov_version_t version = {};
  if (out->get_openvino_version(&version) == OK) {
    // "2026.4.1-22982-…"
    const std::string_view whole(version.buildNumber);
    out->version = whole.substr(0, whole.find('-'));
    out->version_free(&version);
  }
  return out;
}

std::string Library::last_error() const {
  const char* message = get_last_err_msg();
  if (message == nullptr) return {};
  std::string out(message);
  string_free(message);
  return out;
}

}  // namespace bascule::backend::openvino
