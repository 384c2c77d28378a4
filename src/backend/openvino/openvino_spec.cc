#include "backend/openvino/openvino_spec.h"

#include <array>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::backend::openvino {
namespace {

using tensor::DataType;

constexpr std::array<std::pair<ov_element_type_e, DataType>, 13> kTypes = {{
    {BOOLEAN, DataType::kBool},
    {BF16, DataType::kBf16},
    {F16, DataType::kFp16},
    {F32, DataType::kFp32},
    {F64, DataType::kFp64},
    {I8, DataType::kInt8},
    {I16, DataType::kInt16},
    {I32, DataType::kInt32},
    {I64, DataType::kInt64},
    {U8, DataType::kUint8},
    {U16, DataType::kUint16},
    {U32, DataType::kUint32},
    {U64, DataType::kUint64},
}};

struct PortDeleter {
  const Library* library;
  void operator()(ov_output_const_port_t* port) const { library->output_const_port_free(port); }
};
using Port = std::unique_ptr<ov_output_const_port_t, PortDeleter>;

// A port may have several names, of which any is given, or none.
std::string name_of(const Library& library, const ov_output_const_port_t* port, std::string fallback) {
  char* name = nullptr;
  if (library.port_get_any_name(port, &name) != OK || name == nullptr) return fallback;
  std::string out(name);
  library.string_free(name);
  return out;
}

tensor::Shape shape_of(const Library& library, const ov_output_const_port_t* port) {
  ov_partial_shape_t partial = {};
  if (library.port_get_partial_shape(port, &partial) != OK) return {};
  tensor::Shape out;
  if (partial.rank.min == partial.rank.max) {
    for (std::int64_t i = 0; i < partial.rank.max; ++i) {
      const ov_dimension_t& dim = partial.dims[i];
      out.push_back(dim.min == dim.max ? dim.max : tensor::kDynamic);
    }
  }
  library.partial_shape_free(&partial);
  return out;
}

Result<tensor::TensorSpec> read_port(const Library& library, const Port& port, const std::string& kind,
                                     std::size_t index) {
  tensor::TensorSpec spec{.name = name_of(library, port.get(), fmt::format("{}_{}", kind, index))};
  ov_element_type_e type = DYNAMIC;
  library.port_get_element_type(port.get(), &type);
  for (const auto& [theirs, ours] : kTypes) {
    if (theirs != type) continue;
    spec.type = ours;
    spec.shape = shape_of(library, port.get());
    return spec;
  }
  const std::string what = type == STRING ? "strings, which openvino does not serve here"
                                          : fmt::format("an element type (number {}) that cannot be served",
                                                        static_cast<int>(type));
  return invalid_argument(fmt::format("has the {} '{}' of {}", kind, text::shortened(spec.name), what));
}

}  // namespace

Result<void> read_ports(const Library& library, const ov_compiled_model_t* model, ModelSpec& spec) {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  library.compiled_model_inputs_size(model, &inputs);
  library.compiled_model_outputs_size(model, &outputs);
  for (std::size_t i = 0; i < inputs + outputs; ++i) {
    const bool input = i < inputs;
    const std::size_t index = input ? i : i - inputs;
    ov_output_const_port_t* raw = nullptr;
    const auto get = input ? library.compiled_model_input_by_index : library.compiled_model_output_by_index;
    if (get(model, index, &raw) != OK) return internal_error(library.last_error());
    const Port port(raw, {&library});
    BASCULE_ASSIGN(tensor::TensorSpec one, read_port(library, port, input ? "input" : "output", index));
    (input ? spec.inputs : spec.outputs).push_back(std::move(one));
  }
  return {};
}

ov_element_type_e to_openvino(DataType type) {
  for (const auto& [theirs, ours] : kTypes) {
    if (ours == type) return theirs;
  }
  return DYNAMIC;
}

}  // namespace bascule::backend::openvino
