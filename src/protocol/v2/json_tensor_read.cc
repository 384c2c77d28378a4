#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/v2/json_tensor.h"

namespace bascule::protocol::v2 {
namespace {

using tensor::DataType;
using tensor::Shape;
using tensor::Tensor;

// Reads one tensor's values, in the order they come.
class Values {
 public:
  Values(JsonReader& json, DataType type, const Shape& shape, std::size_t count, std::string_view name)
      : json_(json), type_(type), shape_(shape), count_(count), name_(name) {}

  // Walks the arrays and gives each scalar to `element`, which returns false where it failed.
  template <class Element>
  bool walk(const Element& element) {
    JsonReader::Kind kind{};
    if (!json_.peek(kind)) return false;
    if (kind != JsonReader::Kind::kArray) {
      if (shape_.empty() && kind != JsonReader::Kind::kObject) return step(element) && complete();
      return json_.fail(mismatch("is not an array"));
    }
    const JsonReader::Mark start = json_.mark();
    bool more = false;
    if (!json_.begin_array() || !json_.next_element(more)) return false;
    bool nested = false;
    if (more) {
      if (!json_.peek(kind)) return false;
      nested = kind == JsonReader::Kind::kArray;
    }
    json_.go_to(start);
    return (nested ? level(0, element) : flat(element)) && complete();
  }

  [[nodiscard]] std::size_t index() const { return index_; }

  bool fail_value(std::string_view problem, Reason reason) {
    Error error = invalid_argument(fmt::format("Input '{}' ({}), element {}: {}.", text::shortened(name_),
                                               to_string(type_), index_, problem),
                                   reason);
    error.fields.name = name_;
    return json_.fail(std::move(error));
  }

 private:
  template <class Element>
  bool step(const Element& element) {
    if (index_ >= count_) return too_many();
    if (!element(index_)) return false;
    ++index_;
    return true;
  }

  template <class Element>
  bool flat(const Element& element) {
    bool more = false;
    if (!json_.begin_array()) return false;
    while (json_.next_element(more) && more) {
      if (!step(element)) return false;
    }
    return !json_.failed();
  }

  template <class Element>
  bool level(std::size_t depth, const Element& element) {
    if (shape_.empty()) return json_.fail(mismatch("is nested, but a scalar has no rows"));
    const bool last = depth + 1 == shape_.size();
    const auto size = static_cast<std::size_t>(shape_[depth]);
    std::size_t count = 0;
    bool more = false;
    if (!json_.begin_array()) return false;
    while (json_.next_element(more) && more) {
      JsonReader::Kind kind{};
      if (!json_.peek(kind)) return false;
      if ((kind == JsonReader::Kind::kArray) == last) return ragged(depth, last);
      if (count++ == size) return wrong_size(depth, fmt::format("more than {}", size));
      if (last ? !step(element) : !level(depth + 1, element)) return false;
    }
    if (json_.failed()) return false;
    return count == size ? true : wrong_size(depth, fmt::format("{}", count));
  }

  Error mismatch(std::string_view problem) const {
    Error error = invalid_argument(
        fmt::format("The data of input '{}' {}; shape {} needs {} elements, flat or nested row by row.",
                    text::shortened(name_), problem, tensor::to_string(shape_), count_),
        Reason::kDataSizeMismatch);
    error.fields.name = name_;
    error.fields.expected = std::to_string(count_);
    error.fields.got = std::to_string(index_);
    return error;
  }
  bool too_many() { return json_.fail(mismatch("has too many elements")); }
  bool complete() {
    if (index_ == count_) return true;
    return json_.fail(mismatch(fmt::format("has {} elements", index_)));
  }
  bool ragged(std::size_t depth, bool last) {
    return json_.fail(
        mismatch(fmt::format("has {} at depth {} (byte {})", last ? "an array" : "a value outside an array",
                             depth + 1, json_.offset())));
  }
  bool wrong_size(std::size_t depth, std::string_view got) {
    return json_.fail(
        mismatch(fmt::format("is ragged: an array of dimension {} ends at byte {} with {} "
                             "entries instead of {}",
                             depth, json_.offset(), got, shape_[depth])));
  }

  JsonReader& json_;
  DataType type_;
  const Shape& shape_;
  std::size_t count_;
  std::string_view name_;
  std::size_t index_ = 0;
};

// Reports what stands where a value of the type should be, with the pointer to binary data for NaN.
bool wrong_kind(JsonReader& json, Values& values, std::string_view wanted) {
  JsonReader::Kind kind{};
  if (!json.peek(kind)) {
    if (json.error().reason != Reason::kNotInJson) return false;
    return false;
  }
  constexpr std::string_view kNames[] = {"an object", "an array",  "a string",
                                         "a number",  "a boolean", "null"};
  return values.fail_value(
      fmt::format("{} stands where {} should be", kNames[static_cast<std::size_t>(kind)], wanted),
      Reason::kDatatypeMismatch);
}

bool is_kind(JsonReader& json, JsonReader::Kind wanted) {
  JsonReader::Kind kind{};
  return json.peek(kind) && kind == wanted;
}

template <class T>
bool read_integer(JsonReader& json, Values& values, T& out) {
  if (!is_kind(json, JsonReader::Kind::kNumber)) return wrong_kind(json, values, "an integer");
  std::string_view token;
  bool integer = false;
  if (!json.read_number(token, integer)) return false;
  if (!integer) {
    return values.fail_value(
        fmt::format("{} has a fraction or an exponent; an integer is needed", text::shortened(token, 40)),
        Reason::kValueOutOfRange);
  }
  const auto [end, code] = std::from_chars(token.data(), token.data() + token.size(), out);
  if (code == std::errc() && end == token.data() + token.size()) return true;
  if (token == "-0") {  // from_chars refuses a sign for unsigned types
    out = 0;
    return true;
  }
  return values.fail_value(fmt::format("{} is out of range ({} to {})", text::shortened(token, 40),
                                       std::numeric_limits<T>::min(), std::numeric_limits<T>::max()),
                           Reason::kValueOutOfRange);
}

template <class T>
bool read_real(JsonReader& json, Values& values, T& out) {
  if (!is_kind(json, JsonReader::Kind::kNumber)) return wrong_kind(json, values, "a number");
  std::string_view token;
  double value = 0;
  if (!json.read_double(value, token)) return false;
  // Through the double, as every JSON client and Triton round; only too large values are refused.
  out = static_cast<T>(value);
  if (std::isfinite(out)) [[likely]]
    return true;
  return values.fail_value(fmt::format("{} is out of range (at most {:.9g} in size)",
                                       text::shortened(token, 40), std::numeric_limits<T>::max()),
                           Reason::kValueOutOfRange);
}

// true and false; 0 and 1 too, as Triton takes them.
bool read_boolean(JsonReader& json, Values& values, std::uint8_t& out) {
  if (is_kind(json, JsonReader::Kind::kBool)) {
    bool value = false;
    if (!json.read_bool(value)) return false;
    out = value ? 1 : 0;
    return true;
  }
  if (!is_kind(json, JsonReader::Kind::kNumber)) return wrong_kind(json, values, "true or false");
  std::string_view token;
  bool integer = false;
  if (!json.read_number(token, integer)) return false;
  if (token != "0" && token != "1") {
    return values.fail_value(fmt::format("{} is neither true nor false", text::shortened(token, 40)),
                             Reason::kValueOutOfRange);
  }
  out = token == "1" ? 1 : 0;
  return true;
}

template <class T, class Read>
Result<Tensor> read_fixed(JsonReader& json, Values& values, DataType type, const Shape& shape,
                          const Read& read) {
  BASCULE_ASSIGN(tensor::MutableTensor out, tensor::make_tensor(type, shape));
  const std::span<T> elements = out.template elements<T>();
  if (!values.walk([&](std::size_t i) { return read(json, values, elements[i]); })) return json.error();
  return std::move(out.tensor);
}

Result<Tensor> read_strings(JsonReader& json, Values& values, const Shape& shape) {
  auto memory = std::make_shared<std::vector<std::byte>>();
  const auto element = [&](std::size_t) {
    if (!is_kind(json, JsonReader::Kind::kString)) return wrong_kind(json, values, "a string");
    std::string_view value;
    if (!json.read_string(value)) return false;
    // A body is far shorter than 4 GiB; the length is checked where bodies are read, and here once more.
    if (value.size() > std::numeric_limits<std::uint32_t>::max()) {
      return values.fail_value("the string is longer than 4 GiB", Reason::kValueOutOfRange);
    }
    const auto length = static_cast<std::uint32_t>(value.size());
    const auto head = std::as_bytes(std::span(&length, 1));
    const auto bytes = std::as_bytes(std::span(value));
    memory->insert(memory->end(), head.begin(), head.end());
    memory->insert(memory->end(), bytes.begin(), bytes.end());
    return true;
  };
  if (!values.walk(element)) return json.error();
  return Tensor{.type = DataType::kString, .shape = shape, .bytes = *memory, .owner = memory};
}

Error not_in_json(DataType type, std::string_view name) {
  Error error =
      invalid_argument(fmt::format("Input '{0}': {1} data via JSON is not supported; send it as binary data "
                                   "(binary_data_size).",
                                   text::shortened(name), to_string(type)),
                       Reason::kNotInJson);
  error.fields.name = name;
  error.fields.got = to_string(type);
  return error;
}

}  // namespace

Result<Tensor> read_json_tensor(JsonReader& json, DataType type, Shape shape, std::string_view name) {
  BASCULE_ASSIGN(const std::size_t count, tensor::element_count(shape));
  // n elements take n characters and n-1 commas at least; strings have their quotes as well.
  const std::size_t least = count == 0 ? 0 : (type == DataType::kString ? 3 : 2) * count - 1;
  if (least > json.rest()) {
    Error error = invalid_argument(
        fmt::format(
            "The data of input '{}' cannot be there: shape {} needs {} elements, and only {} bytes of "
            "JSON are left.",
            text::shortened(name), tensor::to_string(shape), count, json.rest()),
        Reason::kDataSizeMismatch);
    error.fields.name = name;
    error.fields.expected = std::to_string(count);
    return error;
  }
  Values values(json, type, shape, count, name);
  switch (type) {
    case DataType::kBool: return read_fixed<std::uint8_t>(json, values, type, shape, read_boolean);
    case DataType::kUint8:
      return read_fixed<std::uint8_t>(json, values, type, shape, read_integer<std::uint8_t>);
    case DataType::kUint16:
      return read_fixed<std::uint16_t>(json, values, type, shape, read_integer<std::uint16_t>);
    case DataType::kUint32:
      return read_fixed<std::uint32_t>(json, values, type, shape, read_integer<std::uint32_t>);
    case DataType::kUint64:
      return read_fixed<std::uint64_t>(json, values, type, shape, read_integer<std::uint64_t>);
    case DataType::kInt8:
      return read_fixed<std::int8_t>(json, values, type, shape, read_integer<std::int8_t>);
    case DataType::kInt16:
      return read_fixed<std::int16_t>(json, values, type, shape, read_integer<std::int16_t>);
    case DataType::kInt32:
      return read_fixed<std::int32_t>(json, values, type, shape, read_integer<std::int32_t>);
    case DataType::kInt64:
      return read_fixed<std::int64_t>(json, values, type, shape, read_integer<std::int64_t>);
    case DataType::kFp32: return read_fixed<float>(json, values, type, shape, read_real<float>);
    case DataType::kFp64: return read_fixed<double>(json, values, type, shape, read_real<double>);
    case DataType::kString: return read_strings(json, values, shape);
    case DataType::kFp16:
    case DataType::kBf16: return not_in_json(type, name);
  }
  return internal_error("An element type without a JSON reader.");
}

}  // namespace bascule::protocol::v2
