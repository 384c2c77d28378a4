#include "protocol/v2/generate.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json_reader.h"
#include "protocol/v2/json_tensor.h"
#include "protocol/v2/raw_tensor.h"
#include "tensor/shape.h"

namespace bascule::protocol::v2 {
namespace {

using tensor::DataType;
using tensor::Shape;
using tensor::TensorSpec;
using Kind = JsonReader::Kind;

constexpr std::string_view kWhat = "The request";
constexpr std::string_view kTextInput = "text_input";

const TensorSpec* only_text(const std::vector<TensorSpec>& specs) {
  const TensorSpec* found = nullptr;
  for (const TensorSpec& spec : specs) {
    if (spec.type != DataType::kString) continue;
    if (found != nullptr) return nullptr;
    found = &spec;
  }
  return found;
}

std::string listed(const std::vector<TensorSpec>& specs) {
  std::string out;
  for (const TensorSpec& spec : specs) {
    out += fmt::format("{}{} {} {}", out.empty() ? "" : ", ", text::shortened(spec.name),
                       to_string(spec.type), tensor::to_string(spec.shape));
  }
  return out;
}

// The shape that an input has with `count` values: they lie along its last dimension that can be so long, the
// others are 1. Nothing: there is none.
std::optional<Shape> shape_of(const TensorSpec& spec, std::size_t count) {
  if (count == 0) return std::nullopt;
  Shape shape(spec.shape.size(), 1);
  bool placed = count == 1;
  for (std::size_t i = spec.shape.size(); i-- > 0;) {
    const std::int64_t size = spec.shape[i];
    if (!placed && (size < 0 || static_cast<std::uint64_t>(size) == count)) {
      shape[i] = static_cast<std::int64_t>(count);
      placed = true;
    } else if (size > 1 || size == 0) {
      return std::nullopt;
    }
  }
  return placed ? std::optional(shape) : std::nullopt;
}

// Reads one request.
// Thread-safety: external (one owner).
class Parser {
 public:
  Parser(std::string_view text, const content::ModelInfo& model)
      : text_(text), model_(model), json_(text, kWhat), text_input_(only_text(model.inputs)) {}

  Result<GenerateCall> read() {
    if (!object(true)) return error_ ? *std::move(error_) : json_.error();
    if (!json_.finish()) return json_.error();
    if (call_.request.inputs.empty()) return no_input();
    if (call_.text) {
      const TensorSpec* const output = only_text(model_.outputs);
      if (output == nullptr) {
        return unfit(fmt::format("has not exactly one text output; it has {}", listed(model_.outputs)));
      }
      call_.request.outputs = {output->name};
    }
    return std::move(call_);
  }

 private:
  bool object(bool outer) {
    bool more = false;
    if (!json_.begin_object()) return false;
    while (json_.next_member(more) && more) {
      const std::string key(json_.key());
      bool* const seen = !outer                ? nullptr
                         : key == "id"         ? &id_
                         : key == "parameters" ? &parameters_
                         : key == kTextInput   ? &text_given_
                                               : nullptr;
      if (seen != nullptr && std::exchange(*seen, true)) {
        return fail(invalid_argument(
            fmt::format("\"{}\" stands twice in the request (byte {}).", key, json_.offset()),
            Reason::kJsonSyntax));
      }
      if (!member(key, outer)) return false;
    }
    return !json_.failed();
  }

  bool member(const std::string& key, bool outer) {
    const auto named = std::ranges::find(model_.inputs, key, &TensorSpec::name);
    if (named != model_.inputs.end()) return input(*named);
    Kind kind{};
    if (!json_.peek(kind)) return false;
    if (key == kTextInput && outer && text_input_ != nullptr) {
      call_.text = true;
      return input(*text_input_);
    }
    if (key == "id" && outer && kind == Kind::kString) {
      std::string_view id;
      if (!json_.read_string(id)) return false;
      call_.request.id = id;
      return true;
    }
    if (key == "parameters" && outer && kind == Kind::kObject) return object(false);
    if (kind == Kind::kObject || kind == Kind::kArray || key == "id" || key == "parameters") {
      return fail(invalid_argument(fmt::format(
          "\"{}\" of the request is no input of model '{}', which has {}; other members must be a "
          "string, a number or a boolean, \"id\" a string, \"parameters\" an object (byte {}).",
          text::shortened(key), model_.name, listed(model_.inputs), json_.offset())));
    }
    return json_.skip_value();
  }

  // The value that comes next, as the tensor of `spec`.
  bool input(const TensorSpec& spec) {
    for (const tensor::NamedTensor& other : call_.request.inputs) {
      if (other.name == spec.name) {
        return fail(input_error(spec.name, "is given twice in the request.", Reason::kDuplicateInput));
      }
    }
    Kind kind{};
    if (!json_.peek(kind)) return false;
    const std::size_t start = json_.offset();
    std::size_t count = 1;
    if (kind == Kind::kArray) {
      bool more = false;
      count = 0;
      if (!json_.begin_array()) return false;
      while (json_.next_element(more) && more) {
        Kind element{};
        if (!json_.peek(element)) return false;
        if (element == Kind::kArray) {
          return fail(input_error(spec.name, "is nested; give one value, or a flat array of them.",
                                  Reason::kShapeMismatch));
        }
        if (!json_.skip_value()) return false;
        ++count;
      }
      if (json_.failed()) return false;
    } else if (!json_.skip_value()) {
      return false;
    }
    std::optional<Shape> shape = shape_of(spec, count);
    if (!shape) {
      return fail(
          input_error(spec.name,
                      fmt::format("has the shape {}, which {} values in a row cannot fill; use the route "
                                  "\"infer\".",
                                  tensor::to_string(spec.shape), count),
                      Reason::kShapeMismatch));
    }
    const std::string value(text_.substr(start, json_.offset() - start));
    const std::string data = kind == Kind::kArray ? value : "[" + value + "]";
    JsonReader json(data, kWhat);
    auto tensor = read_json_tensor(json, spec.type, *std::move(shape), spec.name);
    if (!tensor) return fail(std::move(tensor).error());
    call_.request.inputs.push_back({.name = spec.name, .tensor = *std::move(tensor)});
    return true;
  }

  Error unfit(const std::string& why) const {
    return invalid_argument(fmt::format("Model '{}' {}. Give its inputs by their names.", model_.name, why));
  }
  [[nodiscard]] Error no_input() const {
    if (text_input_ == nullptr && text_given_) {
      return unfit(fmt::format("has not exactly one text input; it has {}", listed(model_.inputs)));
    }
    return invalid_argument(
        fmt::format("The request has neither \"text_input\" nor a member called as an input of "
                    "model '{}', which has {}.",
                    model_.name, listed(model_.inputs)));
  }
  bool fail(Error error) {
    error_ = std::move(error);
    return false;
  }

  std::string_view text_;
  const content::ModelInfo& model_;
  JsonReader json_;
  const TensorSpec* const text_input_;
  GenerateCall call_;
  bool id_ = false, parameters_ = false, text_given_ = false;
  std::optional<Error> error_;
};

}  // namespace

Result<GenerateCall> parse_generate(const RequestBody& body, const content::ModelInfo& model) {
  const std::string_view text(reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size());
  BASCULE_TRY(check_utf8(text, kWhat));
  return Parser(text, model).read();
}

Result<std::string> write_generate(const content::InferResponse& response, bool text) {
  std::string out = "{";
  if (!response.id.empty()) out += fmt::format(R"("id":{},)", text::json_quoted(response.id));
  if (response.model != nullptr) {
    out += fmt::format(R"("model_name":{},"model_version":{})", text::json_quoted(response.model->name),
                       text::json_quoted(response.model->version));
  }
  for (const tensor::NamedTensor& output : response.outputs) {
    if (out.size() > 1) out += ',';
    text::append_json_quoted(out, text ? std::string_view("text_output") : output.name);
    out += ':';
    const std::size_t start = out.size();
    BASCULE_TRY(append_json_tensor(out, output.tensor, output.name));
    BASCULE_ASSIGN(const std::size_t count, tensor::element_count(output.tensor.shape));
    if (count == 1) {  // a value, not a list of one
      out.erase(start, 1);
      out.pop_back();
    }
  }
  out += '}';
  return out;
}

std::string event_of(std::string_view json) { return fmt::format("data: {}\n\n", json); }

}  // namespace bascule::protocol::v2
