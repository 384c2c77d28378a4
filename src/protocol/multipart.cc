#include "protocol/multipart.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"
#include "protocol/percent.h"

namespace bascule::protocol {
namespace {

bool is_boundary_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
}

// Goes through the `; name=value` parameters of a header value.
class Parameters {
 public:
  explicit Parameters(std::string_view rest) : rest_(rest) {}

  // The next parameter: its name in small letters and its value without quotes; false at the end, and for
  // what is not a parameter.
  bool next(std::string& name, std::string& value) {
    rest_ = text::trimmed(rest_);
    if (!rest_.starts_with(';')) return false;
    rest_ = text::trimmed(rest_.substr(1));
    const std::size_t equals = rest_.find_first_of("=;");
    if (equals == std::string_view::npos || rest_[equals] == ';') return false;
    name = text::to_lower(text::trimmed(rest_.substr(0, equals)));
    rest_ = text::trimmed(rest_.substr(equals + 1));
    value.clear();
    if (!rest_.starts_with('"')) {
      const std::size_t end = std::min(rest_.find(';'), rest_.size());
      value = text::trimmed(rest_.substr(0, end));
      rest_.remove_prefix(end);
      return true;
    }
    std::size_t i = 1;
    for (; i < rest_.size() && rest_[i] != '"'; ++i) {
      // Some clients send paths with bare backslashes: only these two pairs are escapes.
      const bool escape =
          rest_[i] == '\\' && i + 1 < rest_.size() && (rest_[i + 1] == '"' || rest_[i + 1] == '\\');
      if (escape) ++i;
      value += rest_[i];
    }
    if (i >= rest_.size()) return false;
    rest_.remove_prefix(i + 1);
    return true;
  }

 private:
  std::string_view rest_;
};

Error bad_body(std::string message) { return invalid_argument(std::move(message)); }

// RFC 8187: charset'language'percent-encoded.
std::optional<std::string> extended_value(std::string_view value) {
  const std::size_t first = value.find('\'');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = value.find('\'', first + 1);
  if (second == std::string_view::npos || text::to_lower(value.substr(0, first)) != "utf-8") {
    return std::nullopt;
  }
  return percent_decoded(value.substr(second + 1), false);
}

// Reads one header line into `part`.
Result<void> read_header(std::string_view line, Part& part, std::size_t number) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) {
    return bad_body(fmt::format("Part {} of the multipart body has a header line without a colon.", number));
  }
  const std::string name = text::to_lower(text::trimmed(line.substr(0, colon)));
  const std::string_view value = text::trimmed(line.substr(colon + 1));
  if (name == "content-type") part.content_type = value;
  if (name == "content-transfer-encoding") {
    const std::string encoding = text::to_lower(value);
    if (encoding != "binary" && encoding != "8bit" && encoding != "7bit") {
      return bad_body(
          fmt::format("Part {} of the multipart body is encoded as '{}'; send the bytes as they are.", number,
                      text::shortened(value, 40)));
    }
  }
  if (name != "content-disposition") return {};
  Parameters parameters(value.substr(std::min(value.find(';'), value.size())));
  std::string key;
  std::string text_value;
  bool extended = false;
  while (parameters.next(key, text_value)) {
    if (key == "name") part.name = text_value;
    if (key == "filename" && !extended) part.file_name = text_value;
    if (key == "filename*") {
      if (auto decoded = extended_value(text_value)) {
        part.file_name = *std::move(decoded);
        extended = true;
      }
    }
  }
  return {};
}

// Splits a body at its delimiters. Each byte is looked at by one search for the delimiter, and heads by one
// search for their end that never leaves kMaxPartHead.
class Splitter {
 public:
  Splitter(std::string_view body, std::string_view boundary)
      : body_(body), delimiter_(fmt::format("\r\n--{}", boundary)) {}

  Result<std::vector<Part>> split() {
    std::vector<Part> parts;
    BASCULE_TRY(first());
    while (!last_) {
      if (parts.size() == kMaxParts) {
        return bad_body(
            fmt::format("The multipart body has more than {} parts, which is the limit.", kMaxParts));
      }
      Part part;
      BASCULE_TRY(head(part, parts.size() + 1));
      const std::size_t start = at_;
      std::size_t end = 0;
      BASCULE_TRY(delimiter(end));
      part.bytes = std::as_bytes(std::span(body_.substr(start, end - start)));
      parts.push_back(std::move(part));
    }
    return parts;
  }

 private:
  // The delimiter that opens the first part may stand at the very beginning, without its line end.
  Result<void> first() {
    const std::string_view opening = std::string_view(delimiter_).substr(2);
    if (body_.starts_with(opening) && closes_line(opening.size())) return {};
    std::size_t end = 0;
    return delimiter(end);
  }

  // Goes behind the next delimiter; `end` is where the part before it ends. The two bytes before `at_` belong
  // to the line end that closed the head, so that an empty part is found as well.
  Result<void> delimiter(std::size_t& end) {
    std::size_t from = at_ >= 2 ? at_ - 2 : 0;
    for (;;) {
      // Linear: the delimiter begins with the only '\r' it has, so that a comparison which fails has passed
      // over no place where another could begin.
      end = body_.find(delimiter_, from);
      if (end == std::string_view::npos) {
        return bad_body(
            fmt::format("The multipart body of {} bytes ends before its closing boundary.", body_.size()));
      }
      if (closes_line(end + delimiter_.size())) {
        end = std::max(end, at_before_);
        return {};
      }
      from = end + delimiter_.size();
    }
  }

  // True where a delimiter's line ends right behind `position` (blanks may stand between), or the whole body
  // does ("--"); then goes there.
  bool closes_line(std::size_t position) {
    if (body_.substr(position, 2) == "--") {
      last_ = true;
      return true;
    }
    while (position < body_.size() && (body_[position] == ' ' || body_[position] == '\t')) ++position;
    if (body_.substr(position, 2) != "\r\n") return false;
    at_ = position + 2;
    return true;
  }

  Result<void> head(Part& part, std::size_t number) {
    std::size_t used = 0;
    for (;;) {
      const std::string_view window = body_.substr(at_, kMaxPartHead - used);
      const std::size_t end = window.find("\r\n");
      if (end == std::string_view::npos) {
        if (window.size() < kMaxPartHead - used) {
          return bad_body(fmt::format("The multipart body ends inside the head of part {}.", number));
        }
        return bad_body(
            fmt::format("The head of part {} of the multipart body is longer than {} bytes, which is "
                        "the limit.",
                        number, kMaxPartHead));
      }
      at_ += end + 2;
      used += end + 2;
      if (end == 0) break;
      BASCULE_TRY(read_header(window.substr(0, end), part, number));
    }
    at_before_ = at_;
    if (part.name.empty()) {
      return bad_body(
          fmt::format("Part {} of the multipart body has no name; each needs a header "
                      "Content-Disposition: form-data; name=\"…\".",
                      number));
    }
    return {};
  }

  std::string_view body_;
  std::string delimiter_;
  std::size_t at_ = 0;
  std::size_t at_before_ = 0;  // where the current part's bytes begin
  bool last_ = false;
};

}  // namespace

Result<std::string> multipart_boundary(std::string_view content_type) {
  Parameters parameters(content_type.substr(std::min(content_type.find(';'), content_type.size())));
  std::string name;
  std::string value;
  bool found = false;
  // A boundary beyond any limit is measured, not copied around: the header itself is bounded by the reader.
  while (!found && parameters.next(name, value)) found = name == "boundary";
  if (!found || value.empty()) {
    return bad_body("The Content-Type is multipart/form-data without a boundary; add one (RFC 2046).");
  }
  if (value.size() > kMaxBoundary) {
    Error error = bad_body(fmt::format(
        "The multipart boundary has {} characters; the limit is {} (RFC 2046).", value.size(), kMaxBoundary));
    error.fields.got = std::to_string(value.size());
    error.fields.limit = std::to_string(kMaxBoundary);
    return error;
  }
  for (const char c : value) {
    if (!is_boundary_char(c)) {
      return bad_body(
          fmt::format("The multipart boundary holds the character {}, which RFC 2046 does not allow.",
                      text::json_quoted({&c, 1})));
    }
  }
  if (value.back() == ' ')
    return bad_body("The multipart boundary ends with a blank, which RFC 2046 forbids.");
  return value;
}

Result<std::vector<Part>> parse_multipart(std::span<const std::byte> body, std::string_view boundary) {
  return Splitter({reinterpret_cast<const char*>(body.data()), body.size()}, boundary).split();
}

}  // namespace bascule::protocol
