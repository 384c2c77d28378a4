#include "backend/openvino/openvino_form.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "backend/model_file.h"
#include "backend/openvino/openvino_error.h"
#include "base/text.h"

namespace bascule::backend::openvino {
namespace {

// More is no input that runs often: 1 GiB of floats.
constexpr std::size_t kMaxElements = std::size_t{1} << 28U;

struct ModelDeleter {
  const Library* library;
  void operator()(ov_model_t* model) const { library->model_free(model); }
};
using Model = std::unique_ptr<ov_model_t, ModelDeleter>;

// The library's partial shape, freed with its owner.
// Thread-safety: external.
class FixedShape {
 public:
  FixedShape(const Library& library, const tensor::Shape& shape) : library_(library) {
    made_ = library_.partial_shape_create_static(static_cast<std::int64_t>(shape.size()), shape.data(),
                                                 &partial_) == OK;
  }
  ~FixedShape() {
    if (made_) library_.partial_shape_free(&partial_);
  }
  FixedShape(const FixedShape&) = delete;
  FixedShape& operator=(const FixedShape&) = delete;

  [[nodiscard]] bool made() const { return made_; }
  [[nodiscard]] const ov_partial_shape_t& get() const { return partial_; }

 private:
  const Library& library_;
  ov_partial_shape_t partial_ = {};
  bool made_ = false;
};

}  // namespace

Result<Request> Form::take_request() const {
  Request found = requests_.with([](std::vector<Request>& free) {
    if (free.empty()) return Request();
    Request request = std::move(free.back());
    free.pop_back();
    return request;
  });
  if (found != nullptr) return found;
  ov_infer_request_t* made = nullptr;
  if (library().compiled_model_create_infer_request(model_.get(), &made) != OK) {
    return internal_error("The engine failed: " + plain_words(library().last_error()));
  }
  return Request(made, {&library()});
}

void Form::give_back(Request request) const {
  requests_.with([&](std::vector<Request>& free) { free.push_back(std::move(request)); });
}

Result<std::unique_ptr<const Form>> compile(const std::shared_ptr<const Engine>& engine,
                                            const Compilation& what) {
  const Library& library = *engine->library;
  ov_compiled_model_t* made = nullptr;
  if (library.core_compile_model_from_file_props(engine->core, what.path.c_str(), kDevice,
                                                 what.properties.size(), what.properties.data(),
                                                 &made) != OK) {
    return invalid_argument(library.last_error());
  }
  return std::make_unique<const Form>(engine, Compiled(made, {&library}));
}

Result<std::unique_ptr<const Form>> compile_for(const std::shared_ptr<const Engine>& engine,
                                                const Compilation& what, const tensor::Shape& shape) {
  const Library& library = *engine->library;
  const auto failed = [&] { return invalid_argument(library.last_error()); };
  ov_model_t* read = nullptr;
  if (library.core_read_model(engine->core, what.path.c_str(), nullptr, &read) != OK) return failed();
  const Model model(read, {&library});
  const FixedShape fixed(library, shape);
  if (!fixed.made() || library.model_reshape_single_input(model.get(), fixed.get()) != OK) return failed();
  ov_compiled_model_t* made = nullptr;
  if (library.core_compile_model_props(engine->core, model.get(), kDevice, what.properties.size(),
                                       what.properties.data(), &made) != OK) {
    return failed();
  }
  auto form = std::make_unique<const Form>(engine, Compiled(made, {&library}));
  BASCULE_ASSIGN(Request first, form->take_request());
  form->give_back(std::move(first));
  return form;
}

Result<void> check_shapes(const std::filesystem::path& file, const ModelSpec& spec,
                          std::span<const tensor::Shape> shapes) {
  if (shapes.empty()) return {};
  if (shapes.size() > kMaxShapes) {
    return invalid_argument(fmt::format("Model file '{}' is given {} shapes; at most {} are taken.",
                                        shown_name(file), shapes.size(), kMaxShapes));
  }
  if (spec.inputs.size() != 1) {
    return invalid_argument(fmt::format(
        "Model file '{}' has {} inputs; only a model with one is compiled for shapes. Leave out shapes.",
        shown_name(file), spec.inputs.size()));
  }
  const tensor::TensorSpec& input = spec.inputs.front();
  for (const tensor::Shape& shape : shapes) {
    const bool positive = std::ranges::all_of(shape, [](std::int64_t size) { return size > 0; });
    if (!positive || !tensor::matches(input.shape, shape)) {
      return invalid_argument(
          fmt::format("Model file '{}' cannot be compiled for shape {}: its input '{}' has {}, where -1 is "
                      "any size from 1.",
                      shown_name(file), tensor::to_string(shape), text::shortened(input.name),
                      tensor::to_string(input.shape)));
    }
    const auto count = tensor::element_count(shape);
    if (!count || *count > kMaxElements) {
      return invalid_argument(
          fmt::format("Model file '{}' cannot be compiled for shape {}: it has more than {} elements.",
                      shown_name(file), tensor::to_string(shape), kMaxElements));
    }
  }
  return {};
}

}  // namespace bascule::backend::openvino
