#include "protocol/v2/classification.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "content/model_config.h"
#include "tensor/shape.h"

namespace bascule::protocol::v2 {
namespace {

using tensor::DataType;
using tensor::Tensor;

// As in Triton: beyond this a classification costs more than sending the values.
constexpr std::size_t kMostValues = 1'000'000;

bool has_batches(const content::ModelInfo& model) {
  if (model.config != nullptr && model.config->max_batch_size) return *model.config->max_batch_size > 0;
  return model.batchable || model.static_batch > 0;
}

// What the values of one output stand for.
// Thread-safety: external (one owner).
class Labels {
 public:
  Labels(const content::ModelInfo& model, std::string_view output) {
    const auto own = model.labels.find(std::string(output));
    if (own != model.labels.end()) {
      list_ = &own->second;
    } else if (model.outputs.size() == 1) {
      names_ = &model.class_names;
    }
  }

  // Empty: there is none.
  [[nodiscard]] std::string_view of(std::size_t index) const {
    if (list_ != nullptr) return index < list_->size() ? std::string_view((*list_)[index]) : "";
    if (names_ == nullptr) return "";
    const auto found = names_->find(static_cast<int>(index));
    return found == names_->end() ? "" : std::string_view(found->second);
  }

 private:
  const std::vector<std::string>* list_ = nullptr;
  const content::ClassNames* names_ = nullptr;
};

// The classes of one row, appended to `out`.
template <class T>
void append_row(std::span<const T> values, std::size_t count, const Labels& labels,
                std::vector<std::string>& out) {
  const auto before = [&](std::size_t a, std::size_t b) {
    if constexpr (std::is_floating_point_v<T>) {
      if (std::isnan(values[a]) || std::isnan(values[b])) {
        if (std::isnan(values[a]) != std::isnan(values[b])) return std::isnan(values[b]);
        return a < b;
      }
    }
    return values[a] != values[b] ? values[a] > values[b] : a < b;
  };
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(order.begin(), end, order.end(), before);
  for (auto index = order.begin(); index != end; ++index) {
    std::string& text = out.emplace_back();
    if constexpr (std::is_floating_point_v<T>) {
      fmt::format_to(std::back_inserter(text), "{:f}:{}", values[*index], *index);
    } else {
      fmt::format_to(std::back_inserter(text), "{}:{}", +values[*index], *index);
    }
    if (const std::string_view label = labels.of(*index); !label.empty()) text.append(":").append(label);
  }
}

Error no_order(std::string_view output, DataType type) {
  return invalid_argument(
      fmt::format("Output '{}' is {}, which is not ordered into classes; leave out \"classification\" to get "
                  "its values.",
                  text::shortened(output), to_string(type)),
      Reason::kDatatypeMismatch);
}

template <class T>
Result<Tensor> classes_of(const Tensor& scores, std::size_t rows, std::size_t count, bool batches,
                          const Labels& labels) {
  const std::span<const T> all = scores.elements<T>();
  const std::size_t row = rows == 0 ? 0 : all.size() / rows;
  std::vector<std::string> texts;
  texts.reserve(rows * count);
  for (std::size_t i = 0; i < rows; ++i) append_row(all.subspan(i * row, row), count, labels, texts);
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  tensor::Shape shape;
  if (batches) shape.push_back(static_cast<std::int64_t>(rows));
  shape.push_back(static_cast<std::int64_t>(count));
  return tensor::make_string_tensor(std::move(shape), views);
}

}  // namespace

Result<Tensor> classify(const Tensor& scores, std::size_t count, std::string_view output,
                        const content::ModelInfo& model) {
  const bool batches = has_batches(model) && !scores.shape.empty();
  const std::size_t rows = batches ? static_cast<std::size_t>(scores.shape[0]) : 1;
  const std::size_t size = tensor::element_size(scores.type);
  if (size == 0) return no_order(output, scores.type);
  const std::size_t row = rows == 0 ? 0 : scores.bytes.size() / size / rows;
  const std::size_t given = std::min(count, row);
  if (row > kMostValues || rows * given > kMostValues) {
    return invalid_argument(
        fmt::format("Output '{}' has {} rows of {} values; a classification takes at most {} values in a row "
                    "and gives at most as many classes. Ask for fewer classes, or for the values.",
                    text::shortened(output), rows, row, kMostValues));
  }
  const Labels labels(model, output);
  switch (scores.type) {
    case DataType::kInt8: return classes_of<std::int8_t>(scores, rows, given, batches, labels);
    case DataType::kInt16: return classes_of<std::int16_t>(scores, rows, given, batches, labels);
    case DataType::kInt32: return classes_of<std::int32_t>(scores, rows, given, batches, labels);
    case DataType::kInt64: return classes_of<std::int64_t>(scores, rows, given, batches, labels);
    case DataType::kUint8: return classes_of<std::uint8_t>(scores, rows, given, batches, labels);
    case DataType::kUint16: return classes_of<std::uint16_t>(scores, rows, given, batches, labels);
    case DataType::kUint32: return classes_of<std::uint32_t>(scores, rows, given, batches, labels);
    case DataType::kUint64: return classes_of<std::uint64_t>(scores, rows, given, batches, labels);
    case DataType::kFp32: return classes_of<float>(scores, rows, given, batches, labels);
    case DataType::kFp64: return classes_of<double>(scores, rows, given, batches, labels);
    case DataType::kBool:
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kString: break;
  }
  return no_order(output, scores.type);
}

}  // namespace bascule::protocol::v2
