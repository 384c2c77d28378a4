#include "protocol/v2/shared_memory.h"

#include <grpc_service.pb.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/json.h"
#include "protocol/json_reader.h"
#include "protocol/v2/raw_tensor.h"
#include "protocol/v2/small_message.h"

namespace bascule::protocol::v2 {
namespace {

bool read_size(JsonReader& json, std::string_view name, std::uint64_t& out) {
  std::string_view token;
  bool integer = false;
  JsonReader::Kind kind{};
  if (!json.peek(kind)) return false;
  if (kind == JsonReader::Kind::kNumber && !json.read_number(token, integer)) return false;
  const auto [end, code] = std::from_chars(token.data(), token.data() + token.size(), out);
  if (integer && code == std::errc() && end == token.data() + token.size()) return true;
  return json.fail(invalid_argument(
      fmt::format("\"{}\" of a shared memory region must be a whole number of bytes, 0 or more (byte {}).",
                  name, json.offset())));
}

}  // namespace

Result<void> read_shared(InferCall& call,
                         const std::function<Result<tensor::Tensor>(const content::SharedPart&)>& read,
                         const std::function<Result<void>(const content::SharedPart&)>& check) {
  for (const OutputChoice& output : call.outputs) {
    if (output.shared) BASCULE_TRY(check(*output.shared));
  }
  for (const SharedInput& shared : call.shared_inputs) {
    tensor::NamedTensor& input = call.request.inputs[shared.index];
    const std::size_t element = tensor::element_size(input.tensor.type);
    const auto size = tensor::byte_count(input.tensor.shape, std::max<std::size_t>(element, 1));
    if (!size) return input_error(input.name, "is wrong: " + size.error().message, Reason::kShapeMismatch);
    if (element != 0 && *size != shared.part.byte_size) {
      return input_error(
          input.name,
          fmt::format("has a shared_memory_byte_size of {}; {} of shape {} needs {}.", shared.part.byte_size,
                      to_string(input.tensor.type), tensor::to_string(input.tensor.shape), *size),
          Reason::kDataSizeMismatch);
    }
    BASCULE_ASSIGN(const tensor::Tensor bytes, read(shared.part));
    BASCULE_TRY(
        attach_raw(input.tensor, bytes.bytes, {.bytes = bytes.bytes, .owner = bytes.owner}, input.name));
  }
  return {};
}

Result<void> write_shared(
    const content::InferResponse& response, const ReplyChoice& choice,
    const std::function<Result<void>(const content::SharedPart&, std::span<const std::byte>)>& write) {
  for (const OutputChoice& wanted : choice.outputs) {
    if (!wanted.shared) continue;
    const auto found = std::ranges::find(response.outputs, wanted.name, &tensor::NamedTensor::name);
    if (found != response.outputs.end()) BASCULE_TRY(write(*wanted.shared, found->tensor.bytes));
  }
  return {};
}

Result<content::SharedRegion> parse_register_request(std::string_view name, const RequestBody& body) {
  constexpr std::string_view kWhat = "the request";
  const std::string_view text(reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size());
  content::SharedRegion region{.name = std::string(name), .key = {}};
  BASCULE_TRY(check_utf8(text, kWhat));
  JsonReader json(text, kWhat);
  bool more = false;
  std::optional<std::string> key;
  std::optional<std::uint64_t> size;
  if (!json.begin_object()) return json.error();
  while (json.next_member(more) && more) {
    std::string_view value;
    bool read = false;
    if (json.key() == "key") {
      read = json.read_string(value);
      if (read) key = value;
    } else if (json.key() == "offset") {
      read = read_size(json, "offset", region.offset);
    } else if (json.key() == "byte_size") {
      read = read_size(json, "byte_size", size.emplace());
    } else {
      read = json.skip_value();
    }
    if (!read) break;
  }
  if (json.failed() || !json.finish()) return json.error();
  if (!key || !size) {
    return invalid_argument(
        fmt::format("Shared memory register request has no '{}' field; it needs the key "
                    "and the byte_size of the memory.",
                    key ? "byte_size" : "key"));
  }
  region.key = *std::move(key);
  region.byte_size = *size;
  return region;
}

std::string write_regions(const std::vector<content::SharedRegion>& regions) {
  std::string out = "[";
  for (const content::SharedRegion& region : regions) {
    if (out.size() > 1) out += ',';
    out += R"({"name":)";
    text::append_json_quoted(out, region.name);
    out += R"(,"key":)";
    text::append_json_quoted(out, region.key);
    out += R"(,"offset":)";
    append_number(out, region.offset);
    out += R"(,"byte_size":)";
    append_number(out, region.byte_size);
    out += '}';
  }
  out += ']';
  return out;
}

Result<content::SharedRegion> parse_register_message(const RequestBody& message) {
  BASCULE_ASSIGN(const auto wire, read_small_message<inference::SystemSharedMemoryRegisterRequest>(message));
  return content::SharedRegion{
      .name = wire.name(), .key = wire.key(), .offset = wire.offset(), .byte_size = wire.byte_size()};
}

Result<std::string> parse_region_message(const RequestBody& message) {
  BASCULE_ASSIGN(const auto wire,
                 read_small_message<inference::SystemSharedMemoryUnregisterRequest>(message));
  return wire.name();
}

std::string write_regions_message(const std::vector<content::SharedRegion>& regions) {
  inference::SystemSharedMemoryStatusResponse wire;
  for (const content::SharedRegion& region : regions) {
    auto& out = (*wire.mutable_regions())[region.name];
    out.set_name(region.name);
    out.set_key(region.key);
    out.set_offset(region.offset);
    out.set_byte_size(region.byte_size);
  }
  return wire.SerializeAsString();
}

}  // namespace bascule::protocol::v2
