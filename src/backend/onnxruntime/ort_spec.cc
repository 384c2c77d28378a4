#include "backend/onnxruntime/ort_spec.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::backend::ort {
namespace {

using tensor::DataType;
using tensor::TensorSpec;

constexpr std::array<std::pair<ONNXTensorElementDataType, DataType>, 14> kTypes = {{
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, DataType::kBool},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, DataType::kUint8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16, DataType::kUint16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32, DataType::kUint32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64, DataType::kUint64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, DataType::kInt8},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, DataType::kInt16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, DataType::kInt32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, DataType::kInt64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, DataType::kFp16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16, DataType::kBf16},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, DataType::kFp32},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, DataType::kFp64},
    {ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING, DataType::kString},
}};

std::string_view kind_name(ONNXType type) {
  switch (type) {
    case ONNX_TYPE_SEQUENCE: return "a sequence";
    case ONNX_TYPE_MAP: return "a map";
    case ONNX_TYPE_SPARSETENSOR: return "a sparse tensor";
    case ONNX_TYPE_OPTIONAL: return "an optional value";
    default: return "a value of unknown kind";
  }
}

Error cannot_serve(std::string_view what, std::string_view name, std::string_view why) {
  return invalid_argument(
      fmt::format("has the {} '{}', which is {}; that cannot be served", what, text::shortened(name), why));
}

Result<TensorSpec> read_tensor(const Ort::TypeInfo& type, std::string name, std::string_view what) {
  const ONNXType kind = type.GetONNXType();
  if (kind != ONNX_TYPE_TENSOR) return cannot_serve(what, name, kind_name(kind));
  const auto info = type.GetTensorTypeAndShapeInfo();
  TensorSpec out;
  const auto data_type = from_onnx(info.GetElementType());
  if (!data_type) return cannot_serve(what, name, data_type.error().message);
  out.type = *data_type;
  out.name = std::move(name);
  // Any negative number stands for a symbolic or absent dimension. No dimensions at all mean a scalar or
  // that the file names no shape; this API does not tell which.
  out.shape = info.GetShape();
  std::ranges::replace_if(out.shape, [](std::int64_t d) { return d < 0; }, tensor::kDynamic);
  if (out.shape.size() > tensor::kMaxRank) {
    return cannot_serve(what, out.name, fmt::format("a tensor of {} dimensions", out.shape.size()));
  }
  return out;
}

// Adds the two tensors of a map: values, then keys.
Result<void> add_map(const Ort::ConstMapTypeInfo& map, OutputPlan plan, SpecPlan& out) {
  BASCULE_ASSIGN(plan.label_type, from_onnx(map.GetMapKeyType()));
  const Ort::TypeInfo value_type = map.GetMapValueType();
  if (value_type.GetONNXType() != ONNX_TYPE_TENSOR) return invalid_argument("a map of other than scalars");
  BASCULE_ASSIGN(plan.type, from_onnx(value_type.GetTensorTypeAndShapeInfo().GetElementType()));
  tensor::Shape shape{tensor::kDynamic};
  if (plan.kind == OutputKind::kMapSequence) shape.push_back(tensor::kDynamic);
  const std::size_t index = out.outputs.size();
  out.spec.outputs.push_back({.name = plan.name, .type = plan.type, .shape = shape});
  out.parts.push_back({.plan = index, .labels = false});
  out.spec.outputs.push_back({.name = plan.name + "_labels", .type = plan.label_type, .shape = shape});
  out.parts.push_back({.plan = index, .labels = true});
  out.outputs.push_back(std::move(plan));
  return {};
}

Result<void> add_tensor_sequence(const Ort::TypeInfo& element, OutputPlan plan, SpecPlan& out) {
  BASCULE_ASSIGN(TensorSpec spec, read_tensor(element, plan.name, "output"));
  plan.type = spec.type;
  spec.shape.insert(spec.shape.begin(), tensor::kDynamic);
  out.parts.push_back({.plan = out.outputs.size(), .labels = false});
  out.spec.outputs.push_back(std::move(spec));
  out.outputs.push_back(std::move(plan));
  return {};
}

Result<void> add_output(const Ort::TypeInfo& type, std::string name, SpecPlan& out) {
  const auto refuse = [&](const Error& why) { return cannot_serve("output", name, why.message); };
  OutputPlan plan{.name = name};
  switch (type.GetONNXType()) {
    case ONNX_TYPE_MAP:
      plan.kind = OutputKind::kMap;
      if (auto done = add_map(type.GetMapTypeInfo(), std::move(plan), out); !done)
        return refuse(done.error());
      return {};
    case ONNX_TYPE_SEQUENCE: {
      const Ort::TypeInfo element = type.GetSequenceTypeInfo().GetSequenceElementType();
      if (element.GetONNXType() != ONNX_TYPE_MAP) {
        plan.kind = OutputKind::kTensorSequence;
        return add_tensor_sequence(element, std::move(plan), out);
      }
      plan.kind = OutputKind::kMapSequence;
      if (auto done = add_map(element.GetMapTypeInfo(), std::move(plan), out); !done)
        return refuse(done.error());
      return {};
    }
    default: break;
  }
  BASCULE_ASSIGN(TensorSpec spec, read_tensor(type, std::move(name), "output"));
  plan.type = spec.type;
  // A file may declare an output as empty and still fill it; only what an input says is held to.
  std::ranges::replace(spec.shape, 0, tensor::kDynamic);
  out.parts.push_back({.plan = out.outputs.size(), .labels = false});
  out.spec.outputs.push_back(std::move(spec));
  out.outputs.push_back(std::move(plan));
  return {};
}

// "NAME_labels" may be taken by an output of the file.
void make_names_unique(SpecPlan& plan) {
  std::set<std::string> taken;
  for (const OutputPlan& output : plan.outputs) taken.insert(output.name);
  for (std::size_t i = 0; i < plan.parts.size(); ++i) {
    if (!plan.parts[i].labels) continue;
    std::string& name = plan.spec.outputs[i].name;
    while (!taken.insert(name).second) name += "_";
  }
}

void read_metadata(const Ort::Session& session, Ort::AllocatorWithDefaultOptions& allocator,
                   ModelSpec& spec) {
  const Ort::ModelMetadata metadata = session.GetModelMetadata();
  for (const Ort::AllocatedStringPtr& key : metadata.GetCustomMetadataMapKeysAllocated(allocator)) {
    const auto value = metadata.LookupCustomMetadataMapAllocated(key.get(), allocator);
    if (value) spec.metadata.emplace(key.get(), value.get());
  }
}

}  // namespace

Result<DataType> from_onnx(ONNXTensorElementDataType type) {
  for (const auto& [theirs, ours] : kTypes) {
    if (theirs == type) return ours;
  }
  return invalid_argument(fmt::format("of element type {} in ONNX's list", static_cast<int>(type)));
}

ONNXTensorElementDataType to_onnx(DataType type) {
  for (const auto& [theirs, ours] : kTypes) {
    if (ours == type) return theirs;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

Result<SpecPlan> read_spec(const Ort::Session& session) {
  Ort::AllocatorWithDefaultOptions allocator;
  SpecPlan out;
  out.spec.format = "onnx";
  for (std::size_t i = 0; i < session.GetInputCount(); ++i) {
    std::string name = session.GetInputNameAllocated(i, allocator).get();
    BASCULE_ASSIGN(TensorSpec spec, read_tensor(session.GetInputTypeInfo(i), std::move(name), "input"));
    out.spec.inputs.push_back(std::move(spec));
  }
  // Inputs that the file gives a default: ONNX's "overridable initializers".
  for (std::size_t i = 0; i < session.GetOverridableInitializerCount(); ++i) {
    std::string name = session.GetOverridableInitializerNameAllocated(i, allocator).get();
    BASCULE_ASSIGN(TensorSpec spec,
                   read_tensor(session.GetOverridableInitializerTypeInfo(i), std::move(name), "input"));
    spec.optional = true;
    out.spec.inputs.push_back(std::move(spec));
  }
  for (std::size_t i = 0; i < session.GetOutputCount(); ++i) {
    std::string name = session.GetOutputNameAllocated(i, allocator).get();
    BASCULE_TRY(add_output(session.GetOutputTypeInfo(i), std::move(name), out));
  }
  make_names_unique(out);
  read_metadata(session, allocator, out.spec);
  return out;
}

}  // namespace bascule::backend::ort
