#pragma once

// Private to this folder: OpenVINO's C interface, loaded when it is first needed.

#include <filesystem>
#include <memory>
#include <string>

#include <openvino/c/openvino.h>

#include "base/result.h"

namespace bascule::backend::openvino {

// What is used of it. Functions have the library's names without their first word, but for
// ov_free.
struct Library {
  decltype(ov_get_openvino_version)* get_openvino_version = nullptr;
  decltype(ov_version_free)* version_free = nullptr;
  decltype(ov_get_last_err_msg)* get_last_err_msg = nullptr;
  decltype(ov_free)* string_free = nullptr;
  decltype(ov_util_set_log_callback)* util_set_log_callback = nullptr;
  decltype(ov_core_create)* core_create = nullptr;
  decltype(ov_core_free)* core_free = nullptr;
  decltype(ov_core_get_property)* core_get_property = nullptr;
  decltype(ov_core_set_properties)* core_set_properties = nullptr;
  decltype(ov_core_compile_model_from_file_props)* core_compile_model_from_file_props = nullptr;
  decltype(ov_core_read_model)* core_read_model = nullptr;
  decltype(ov_core_compile_model_props)* core_compile_model_props = nullptr;
  decltype(ov_model_reshape_single_input)* model_reshape_single_input = nullptr;
  decltype(ov_model_free)* model_free = nullptr;
  decltype(ov_compiled_model_free)* compiled_model_free = nullptr;
  decltype(ov_compiled_model_inputs_size)* compiled_model_inputs_size = nullptr;
  decltype(ov_compiled_model_outputs_size)* compiled_model_outputs_size = nullptr;
  decltype(ov_compiled_model_input_by_index)* compiled_model_input_by_index = nullptr;
  decltype(ov_compiled_model_output_by_index)* compiled_model_output_by_index = nullptr;
  decltype(ov_compiled_model_create_infer_request)* compiled_model_create_infer_request = nullptr;
  decltype(ov_output_const_port_free)* output_const_port_free = nullptr;
  decltype(ov_port_get_any_name)* port_get_any_name = nullptr;
  decltype(ov_port_get_element_type)* port_get_element_type = nullptr;
  decltype(ov_port_get_partial_shape)* port_get_partial_shape = nullptr;
  decltype(ov_partial_shape_create_static)* partial_shape_create_static = nullptr;
  decltype(ov_partial_shape_free)* partial_shape_free = nullptr;
  decltype(ov_infer_request_free)* infer_request_free = nullptr;
  decltype(ov_infer_request_set_input_tensor_by_index)* infer_request_set_input_tensor_by_index = nullptr;
  decltype(ov_infer_request_get_output_tensor_by_index)* infer_request_get_output_tensor_by_index = nullptr;
  decltype(ov_infer_request_infer)* infer_request_infer = nullptr;
  decltype(ov_tensor_create_from_host_ptr)* tensor_create_from_host_ptr = nullptr;
  decltype(ov_tensor_free)* tensor_free = nullptr;
  decltype(ov_tensor_get_shape)* tensor_get_shape = nullptr;
  decltype(ov_shape_free)* shape_free = nullptr;
  decltype(ov_tensor_data)* tensor_data = nullptr;
  decltype(ov_tensor_get_byte_size)* tensor_get_byte_size = nullptr;

  std::string version;  // "2026.4.1"

  // Errors: kUnavailable with what to do.
  static Result<std::shared_ptr<const Library>> open(const std::filesystem::path& folder);

  // What was wrong last, on any thread: two that fail at once may have each other's.
  [[nodiscard]] std::string last_error() const;
};

}  // namespace bascule::backend::openvino
