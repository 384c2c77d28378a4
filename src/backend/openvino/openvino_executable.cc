#include "backend/openvino/openvino_executable.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "backend/openvino/openvino_error.h"
#include "backend/openvino/openvino_spec.h"
#include "base/text.h"

namespace bascule::backend::openvino {
namespace {

using tensor::NamedTensor;

struct TensorDeleter {
  const Library* library;
  void operator()(ov_tensor_t* tensor) const { library->tensor_free(tensor); }
};
using OwnedTensor = std::unique_ptr<ov_tensor_t, TensorDeleter>;

// Thread-safety: thread-safe.
class OpenVinoExecutable final : public Executable {
 public:
  OpenVinoExecutable(std::unique_ptr<const Form> any, std::vector<ShapeForm> fixed, ModelSpec spec)
      : any_(std::move(any)), fixed_(std::move(fixed)), spec_(std::move(spec)) {}

  [[nodiscard]] const ModelSpec& spec() const override { return spec_; }

  Result<std::vector<NamedTensor>> run(std::span<const NamedTensor> inputs,
                                       std::span<const std::string> outputs) const override {
    BASCULE_ASSIGN(const auto wanted, wanted_outputs(outputs));
    const Form& form = form_for(inputs);
    BASCULE_ASSIGN(Request request, form.take_request());
    std::vector<tensor::Tensor> copies;  // outlive the run
    BASCULE_TRY(set_inputs(request.get(), inputs, copies));
    if (library().infer_request_infer(request.get()) != OK) return run_error(library().last_error());
    std::vector<NamedTensor> out;
    out.reserve(wanted.size());
    for (const std::size_t index : wanted) {
      BASCULE_ASSIGN(tensor::Tensor tensor, output(request.get(), index));
      out.push_back({.name = spec_.outputs[index].name, .tensor = std::move(tensor)});
    }
    form.give_back(std::move(request));
    return out;
  }

 private:
  [[nodiscard]] const Library& library() const { return any_->library(); }

  [[nodiscard]] const Form& form_for(std::span<const NamedTensor> inputs) const {
    if (inputs.size() != 1) return *any_;
    const auto found = std::ranges::find(fixed_, inputs.front().tensor.shape, &ShapeForm::shape);
    return found == fixed_.end() ? *any_ : *found->form;
  }

  [[nodiscard]] Result<std::vector<std::size_t>> wanted_outputs(std::span<const std::string> names) const {
    std::vector<std::size_t> out;
    for (std::size_t i = 0; names.empty() && i < spec_.outputs.size(); ++i) out.push_back(i);
    for (const std::string& name : names) {
      const auto at = std::ranges::find(spec_.outputs, name, &tensor::TensorSpec::name);
      if (at == spec_.outputs.end()) {
        return invalid_argument(fmt::format("The model has no output '{}'.", text::shortened(name)),
                                Reason::kUnknownOutput);
      }
      out.push_back(static_cast<std::size_t>(at - spec_.outputs.begin()));
    }
    return out;
  }

  [[nodiscard]] Result<void> set_inputs(ov_infer_request_t* request, std::span<const NamedTensor> inputs,
                                        std::vector<tensor::Tensor>& copies) const {
    for (const NamedTensor& input : inputs) {
      const auto at = std::ranges::find(spec_.inputs, input.name, &tensor::TensorSpec::name);
      if (at == spec_.inputs.end()) {
        return invalid_argument(fmt::format("The model has no input '{}'.", text::shortened(input.name)),
                                Reason::kUnknownInput);
      }
      BASCULE_ASSIGN(const std::size_t bytes,
                     tensor::byte_count(input.tensor.shape, tensor::element_size(input.tensor.type)));
      if (bytes != input.tensor.bytes.size()) {
        return invalid_argument(
            fmt::format("Shape {} of {} needs {} bytes, but {} were given.",
                        tensor::to_string(input.tensor.shape), tensor::to_string(input.tensor.type), bytes,
                        input.tensor.bytes.size()),
            Reason::kDataSizeMismatch);
      }
      std::span<const std::byte> data = input.tensor.bytes;
      if (reinterpret_cast<std::uintptr_t>(data.data()) % tensor::element_size(input.tensor.type) != 0) {
        BASCULE_ASSIGN(tensor::MutableTensor copy,
                       tensor::make_tensor(input.tensor.type, input.tensor.shape));
        std::ranges::copy(data, copy.bytes.begin());
        copies.push_back(std::move(copy.tensor));
        data = copies.back().bytes;
      }
      BASCULE_TRY(set_input(request, static_cast<std::size_t>(at - spec_.inputs.begin()), input, data));
    }
    return {};
  }

  [[nodiscard]] Result<void> set_input(ov_infer_request_t* request, std::size_t index,
                                       const NamedTensor& input, std::span<const std::byte> data) const {
    tensor::Shape dims = input.tensor.shape;
    const ov_shape_t shape{.rank = static_cast<std::int64_t>(dims.size()), .dims = dims.data()};
    ov_tensor_t* raw = nullptr;
    // The engine only reads what it is given as an input.
    void* const memory = const_cast<std::byte*>(data.data());
    ov_status_e status =
        library().tensor_create_from_host_ptr(to_openvino(input.tensor.type), shape, memory, &raw);
    if (status != OK) return run_error(library().last_error());
    const OwnedTensor tensor(raw, {&library()});
    status = library().infer_request_set_input_tensor_by_index(request, index, tensor.get());
    if (status != OK) return run_error(library().last_error());
    return {};
  }

  // A copy: the memory is the request's, which serves others next.
  [[nodiscard]] Result<tensor::Tensor> output(const ov_infer_request_t* request, std::size_t index) const {
    ov_tensor_t* raw = nullptr;
    if (library().infer_request_get_output_tensor_by_index(request, index, &raw) != OK) {
      return internal_error("The engine failed: " + plain_words(library().last_error()));
    }
    const OwnedTensor tensor(raw, {&library()});
    ov_shape_t dims = {};
    void* data = nullptr;
    std::size_t bytes = 0;
    if (library().tensor_get_shape(tensor.get(), &dims) != OK ||
        library().tensor_get_byte_size(tensor.get(), &bytes) != OK) {
      return internal_error("The engine failed: " + plain_words(library().last_error()));
    }
    tensor::Shape shape(dims.dims, dims.dims + dims.rank);
    library().shape_free(&dims);
    BASCULE_ASSIGN(tensor::MutableTensor out,
                   tensor::make_tensor(spec_.outputs[index].type, std::move(shape)));
    if (out.bytes.size() != bytes) return internal_error("The engine's output is not as long as its shape.");
    if (bytes > 0 && library().tensor_data(tensor.get(), &data) == OK) {
      std::copy_n(static_cast<const std::byte*>(data), bytes, out.bytes.begin());
    }
    return std::move(out.tensor);
  }

  const std::unique_ptr<const Form> any_;
  const std::vector<ShapeForm> fixed_;
  const ModelSpec spec_;
};

}  // namespace

std::unique_ptr<Executable> make_executable(std::unique_ptr<const Form> any, std::vector<ShapeForm> fixed,
                                            ModelSpec spec) {
  return std::make_unique<OpenVinoExecutable>(std::move(any), std::move(fixed), std::move(spec));
}

}  // namespace bascule::backend::openvino
