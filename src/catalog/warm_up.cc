#include "catalog/warm_up.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace bascule::catalog {
namespace {

constexpr int kMeasuredRuns = 20;
constexpr Duration kMeasureBudget = std::chrono::milliseconds(50);

using Inputs = std::vector<tensor::NamedTensor>;

Result<tensor::Tensor> zeros(const tensor::TensorSpec& spec, const content::ModelInfo& info) {
  tensor::Shape shape = warm_up_shape(spec, info);
  if (spec.type == tensor::DataType::kString) {
    BASCULE_ASSIGN(const std::size_t count, tensor::element_count(shape));
    const std::vector<std::string_view> digits(count, "0");  // models that read numbers refuse empty texts
    return tensor::make_string_tensor(std::move(shape), digits);
  }
  BASCULE_ASSIGN(tensor::MutableTensor slot, tensor::make_tensor(spec.type, std::move(shape)));
  std::ranges::fill(slot.bytes, std::byte{0});
  return std::move(slot.tensor);
}

// The rows of a sample at the front of the model's fixed batch, zeros behind them; as they are where it has
// none.
Result<Inputs> filled_up(Inputs inputs, std::size_t rows) {
  for (tensor::NamedTensor& input : inputs) {
    tensor::Shape shape = input.tensor.shape;
    if (rows == 0 || input.tensor.type == tensor::DataType::kString || shape.empty()) continue;
    shape[0] = static_cast<std::int64_t>(rows);
    BASCULE_ASSIGN(tensor::MutableTensor slot, tensor::make_tensor(input.tensor.type, std::move(shape)));
    std::fill(std::ranges::copy(input.tensor.bytes, slot.bytes.begin()).out, slot.bytes.end(), std::byte{0});
    input.tensor = std::move(slot.tensor);
  }
  return inputs;
}

// What the first of `rows` rows was answered.
void keep_first(Inputs& outputs, std::size_t rows) {
  for (tensor::NamedTensor& output : outputs) {
    if (output.tensor.shape.empty() || output.tensor.shape[0] != static_cast<std::int64_t>(rows)) continue;
    output.tensor.shape[0] = 1;
    output.tensor.bytes = output.tensor.bytes.first(output.tensor.bytes.size() / rows);
  }
}

// One picture's whole way; gives the tensor it became.
Result<Inputs> run_picture(const ColdModel& model, const content::InferRequest& sample) {
  if (model.task == nullptr) {
    return invalid_argument("it is read as a picture, but this model takes tensors; give a request as .json");
  }
  BASCULE_ASSIGN(const tasks::Plan plan, model.task->plan(*sample.picture, sample.options));
  BASCULE_ASSIGN(tensor::MutableTensor slot, tensor::make_tensor(plan.input_type, plan.input_shape));
  tasks::Scratch scratch;
  BASCULE_TRY(model.task->prepare(*sample.picture, plan, scratch, slot.bytes));
  Inputs inputs;
  const std::string& name = plan.input.empty() ? model.executable.spec().inputs.front().name : plan.input;
  inputs.push_back({.name = name, .tensor = std::move(slot.tensor)});
  inputs.insert(inputs.end(), plan.beside.begin(), plan.beside.end());
  const std::size_t rows = backend::static_batch(model.executable.spec());
  BASCULE_ASSIGN(inputs, filled_up(std::move(inputs), rows));
  BASCULE_ASSIGN(Inputs outputs, model.executable.run(inputs, {}));
  if (rows > 0) keep_first(outputs, rows);
  BASCULE_TRY(model.task->finish(plan, scratch, outputs));
  return inputs;
}

Result<Inputs> run_sample(const ColdModel& model, const std::filesystem::path& file,
                          const SampleReader& read) {
  BASCULE_ASSIGN(content::InferRequest sample, read(file));
  if (sample.picture) return run_picture(model, sample);
  const std::size_t rows = backend::static_batch(model.executable.spec());
  BASCULE_TRY(backend::check_inputs(model.executable.spec(), sample.inputs, rows > 0));
  BASCULE_TRY(backend::check_outputs(model.executable.spec(), sample.outputs));
  BASCULE_ASSIGN(Inputs inputs, filled_up(std::move(sample.inputs), rows));
  BASCULE_TRY(model.executable.run(inputs, sample.outputs));
  return inputs;
}

}  // namespace

Result<Measured> measure(const backend::Executable& executable,
                         const std::vector<tensor::NamedTensor>& inputs, const Clock& clock) {
  Measured measured{.run = {}};
  for (const tensor::NamedTensor& input : inputs) measured.bytes += input.tensor.bytes.size();
  const TimePoint begin = clock.now();
  for (int i = 0; i < kMeasuredRuns; ++i) {
    const TimePoint start = clock.now();
    BASCULE_TRY(executable.run(inputs, {}));
    const Duration took = clock.now() - start;
    measured.run = std::max(measured.run, took);
    measured.fastest = std::min(measured.fastest, took);
    if (clock.now() - begin > kMeasureBudget) break;
  }
  return measured;
}

tensor::Shape warm_up_shape(const tensor::TensorSpec& spec, const content::ModelInfo& info) {
  tensor::Shape shape = spec.shape;
  if (info.picture_size && shape.size() == 4) {
    if (shape[2] == tensor::kDynamic) shape[2] = info.picture_size->height;
    if (shape[3] == tensor::kDynamic) shape[3] = info.picture_size->width;
  }
  std::ranges::replace(shape, tensor::kDynamic, std::int64_t{1});
  return shape;
}

Result<Measured> run_on_zeros(const ColdModel& model, const Clock& clock) {
  Inputs inputs;
  for (const tensor::TensorSpec& spec : model.executable.spec().inputs) {
    if (spec.optional) continue;
    BASCULE_ASSIGN(tensor::Tensor tensor, zeros(spec, model.info));
    inputs.push_back({.name = spec.name, .tensor = std::move(tensor)});
  }
  BASCULE_TRY(model.executable.run(inputs, {}));
  return measure(model.executable, inputs, clock);
}

Result<Measured> run_on_samples(const ColdModel& model, const std::vector<std::filesystem::path>& files,
                                const SampleReader& read, const Clock& clock) {
  BASCULE_CHECK(!files.empty() && read);
  std::optional<Inputs> first;
  for (const std::filesystem::path& file : files) {
    Result<Inputs> inputs = run_sample(model, file, read);
    if (!inputs) {
      return invalid_argument(
          fmt::format("The sample '{}' of warm_up failed: {}", file.string(), inputs.error().message));
    }
    if (!first) first = *std::move(inputs);
  }
  return measure(model.executable, *first, clock);
}

}  // namespace bascule::catalog
