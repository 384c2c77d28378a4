#include "protocol/json_reader.h"

#include <array>
#include <charconv>
#include <limits>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/text.h"

namespace bascule::protocol {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void append_utf8(std::string& out, std::uint32_t point) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) return put(point);
  if (point < 0x800) {
    put(0xC0U | (point >> 6U));
  } else {
    if (point < 0x10000) {
      put(0xE0U | (point >> 12U));
    } else {
      put(0xF0U | (point >> 18U));
      put(0x80U | ((point >> 12U) & 0x3FU));
    }
    put(0x80U | ((point >> 6U) & 0x3FU));
  }
  put(0x80U | (point & 0x3FU));
}

// Parts of a number that was already found to follow the grammar.
struct Decimal {
  std::uint64_t digits = 0;  // the first 19 significant ones
  int count = 0;             // how many of them there are; 20: more than fit
  std::int64_t exponent = 0;
  bool negative = false;
};

Decimal decimal_of(std::string_view token) {
  Decimal out;
  std::size_t i = 0;
  if (token[0] == '-') {
    out.negative = true;
    ++i;
  }
  bool fraction = false;
  for (; i < token.size(); ++i) {
    const char c = token[i];
    if (c == '.') {
      fraction = true;
      continue;
    }
    if (!is_digit(c)) break;
    if (fraction) --out.exponent;
    if (out.count >= 19) {
      out.count = 20;
      ++out.exponent;
      continue;
    }
    out.digits = out.digits * 10 + static_cast<std::uint64_t>(c - '0');
    if (out.digits != 0) ++out.count;
  }
  if (i == token.size()) return out;
  ++i;  // e
  const bool minus = token[i] == '-';
  if (token[i] == '-' || token[i] == '+') ++i;
  std::int64_t exponent = 0;
  for (; i < token.size(); ++i) {
    // Beyond this no body is long enough to bring the value back into range.
    if (exponent < 100'000'000'000'000) exponent = exponent * 10 + (token[i] - '0');
  }
  out.exponent += minus ? -exponent : exponent;
  return out;
}

double to_double(std::string_view token) {
  static constexpr std::array<double, 23> kPowers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const Decimal decimal = decimal_of(token);
  if (decimal.count <= 15 && decimal.exponent >= -22 && decimal.exponent <= 22) {
    // Digits and power are exact doubles, so that one operation rounds once (Clinger 1990).
    const auto digits = static_cast<double>(decimal.digits);
    const double value = decimal.exponent < 0 ? digits / kPowers[static_cast<std::size_t>(-decimal.exponent)]
                                              : digits * kPowers[static_cast<std::size_t>(decimal.exponent)];
    return decimal.negative ? -value : value;
  }
  double value = 0;
  const auto [end, code] = std::from_chars(token.data(), token.data() + token.size(), value);
  if (code == std::errc::result_out_of_range) {
    const bool huge = decimal.digits != 0 && decimal.exponent + decimal.count > 0;
    value = huge ? std::numeric_limits<double>::infinity() : 0.0;
    if (decimal.negative) value = -value;
  }
  return value;
}

}  // namespace

Result<void> check_utf8(std::string_view text, std::string_view what) {
  if (simdjson::validate_utf8(text.data(), text.size())) [[likely]]
    return {};
  // Only now look for the place: the longest prefix that is valid.
  std::size_t good = 0;
  std::size_t bad = text.size();
  while (bad - good > 1) {
    const std::size_t middle = good + (bad - good) / 2;
    // A cut may go through a character: step back to its first byte.
    std::size_t cut = middle;
    while (cut > good && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) --cut;
    if (cut > good && simdjson::validate_utf8(text.data() + good, cut - good)) {
      good = cut;
    } else if (cut > good) {
      bad = cut;
    } else {
      break;
    }
  }
  return invalid_argument(
      fmt::format("{} is not valid UTF-8 near byte {}; JSON is always UTF-8.", what, good),
      Reason::kJsonSyntax);
}

JsonReader::JsonReader(std::string_view text, std::string_view what) : text_(text), what_(what) {}

bool JsonReader::fail(Error error) {
  if (!failed_) {
    failed_ = true;
    error_ = std::move(error);
  }
  return false;
}

bool JsonReader::syntax(std::string_view problem) {
  return fail(invalid_argument(fmt::format("{} is not valid JSON at byte {}: {}.", what_, at_, problem),
                               Reason::kJsonSyntax));
}

bool JsonReader::expected(std::string_view thing) {
  if (failed_) return false;
  if (at_ >= text_.size()) return syntax(fmt::format("it ends where {} should be", thing));
  const std::string_view rest = text_.substr(at_);
  if (rest.starts_with("NaN") || rest.starts_with("Infinity") || rest.starts_with("-Infinity")) {
    return fail(invalid_argument(
        fmt::format("{} holds {} at byte {}, which JSON does not know; send such values as binary data "
                    "(binary_data_size).",
                    what_, rest[0] == 'N' ? "NaN" : "Infinity", at_),
        Reason::kNotInJson));
  }
  return syntax(fmt::format("{} was expected, {} stands there", thing, text::json_quoted(rest.substr(0, 1))));
}

void JsonReader::skip_space() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
    ++at_;
  }
}

bool JsonReader::peek(Kind& kind) {
  if (failed_) return false;
  skip_space();
  if (at_ >= text_.size()) return expected("a value");
  switch (const char c = text_[at_]) {
    case '{': kind = Kind::kObject; return true;
    case '[': kind = Kind::kArray; return true;
    case '"': kind = Kind::kString; return true;
    case 't':
    case 'f': kind = Kind::kBool; return true;
    case 'n': kind = Kind::kNull; return true;
    default:
      if (!is_digit(c) && c != '-') return expected("a value");
      kind = Kind::kNumber;
      return true;
  }
}

bool JsonReader::open(char bracket, std::string_view thing) {
  if (failed_) return false;
  skip_space();
  if (at_ >= text_.size() || text_[at_] != bracket) return expected(thing);
  if (depth_ >= kMaxJsonDepth) {
    Error error = invalid_argument(
        fmt::format("{} is nested too deeply at byte {}: JSON nesting depth exceeds maximum allowed limit "
                    "({}).",
                    what_, at_, kMaxJsonDepth),
        Reason::kJsonDepth);
    error.fields.limit = std::to_string(kMaxJsonDepth);
    return fail(std::move(error));
  }
  ++depth_;
  ++at_;
  fresh_ = true;
  return true;
}

bool JsonReader::begin_object() { return open('{', "an object ({…})"); }
bool JsonReader::begin_array() { return open('[', "an array ([…])"); }

bool JsonReader::next_element(bool& more) {
  if (failed_) return false;
  skip_space();
  more = true;
  const char c = at_ < text_.size() ? text_[at_] : '\0';
  if (c == ']') {
    ++at_;
    --depth_;
    fresh_ = false;
    more = false;
    return true;
  }
  if (fresh_) {
    fresh_ = false;
    return at_ < text_.size() ? true : expected("a value or ']'");
  }
  if (c != ',') return expected("',' or ']'");
  ++at_;
  return true;
}

bool JsonReader::next_member(bool& more) {
  if (failed_) return false;
  skip_space();
  more = true;
  const char c = at_ < text_.size() ? text_[at_] : '\0';
  if (c == '}') {
    ++at_;
    --depth_;
    fresh_ = false;
    more = false;
    return true;
  }
  if (fresh_) {
    fresh_ = false;
  } else {
    if (c != ',') return expected("',' or '}'");
    ++at_;
    skip_space();
  }
  if (at_ >= text_.size() || text_[at_] != '"') return expected("a member's name in quotes");
  if (!read_string(key_)) return false;
  if (key_.data() == scratch_.data()) {  // keep it while the value is read
    key_memory_ = key_;
    key_ = key_memory_;
  }
  skip_space();
  if (at_ >= text_.size() || text_[at_] != ':') return expected("':'");
  ++at_;
  return true;
}

bool JsonReader::read_string(std::string_view& out) {
  if (failed_) return false;
  skip_space();
  if (at_ >= text_.size() || text_[at_] != '"') return expected("a string");
  const std::size_t start = ++at_;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      out = text_.substr(start, at_ - start);
      ++at_;
      return true;
    }
    if (c == '\\') return escaped_string(start, out);
    if (static_cast<unsigned char>(c) < 0x20) return syntax("a control character stands in a string");
    ++at_;
  }
  return syntax("a string does not end");
}

bool JsonReader::escaped_string(std::size_t start, std::string_view& out) {
  scratch_.assign(text_.substr(start, at_ - start));
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      out = scratch_;
      return true;
    }
    if (static_cast<unsigned char>(c) < 0x20) return syntax("a control character stands in a string");
    if (c == '\\') {
      if (!escape()) return false;
      continue;
    }
    scratch_ += c;
    ++at_;
  }
  return syntax("a string does not end");
}

bool JsonReader::escape() {
  ++at_;
  if (at_ >= text_.size()) return syntax("a string does not end");
  static constexpr std::string_view kNames = "\"\\/bfnrt";
  static constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
  const char c = text_[at_];
  if (const std::size_t i = kNames.find(c); i != std::string_view::npos) {
    scratch_ += kValues[i];
    ++at_;
    return true;
  }
  if (c != 'u') return syntax("an unknown escape stands in a string");
  std::uint32_t point = 0;
  if (!hex4(point)) return false;
  if (point >= 0xDC00 && point <= 0xDFFF) return syntax("half of a surrogate pair stands alone");
  if (point >= 0xD800 && point <= 0xDBFF) {
    std::uint32_t low = 0;
    if (text_.substr(at_, 2) != "\\u") return syntax("half of a surrogate pair stands alone");
    ++at_;
    if (!hex4(low)) return false;
    if (low < 0xDC00 || low > 0xDFFF) return syntax("half of a surrogate pair stands alone");
    point = 0x10000U + ((point - 0xD800U) << 10U) + (low - 0xDC00U);
  }
  append_utf8(scratch_, point);
  return true;
}

bool JsonReader::hex4(std::uint32_t& out) {
  ++at_;  // u
  const std::string_view four = text_.substr(std::min(at_, text_.size()), 4);
  const auto [end, code] = std::from_chars(four.data(), four.data() + four.size(), out, 16);
  if (four.size() != 4 || code != std::errc() || end != four.data() + 4) {
    return syntax("\\u needs four hexadecimal digits");
  }
  at_ += 4;
  return true;
}

bool JsonReader::literal(std::string_view word) {
  if (!text_.substr(at_).starts_with(word)) return expected("a value");
  at_ += word.size();
  return true;
}

bool JsonReader::read_bool(bool& out) {
  if (failed_) return false;
  skip_space();
  out = at_ < text_.size() && text_[at_] == 't';
  if (!out && (at_ >= text_.size() || text_[at_] != 'f')) return expected("true or false");
  return literal(out ? "true" : "false");
}

bool JsonReader::digits() {
  if (at_ >= text_.size() || !is_digit(text_[at_])) return expected("a digit");
  while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
  return true;
}

bool JsonReader::read_number(std::string_view& token, bool& integer) {
  if (failed_) return false;
  skip_space();
  const std::size_t start = at_;
  const auto at = [&] { return at_ < text_.size() ? text_[at_] : '\0'; };
  integer = true;
  if (at() == '-') {
    ++at_;
    if (at() == 'I') {
      at_ = start;
      return expected("a number");
    }
  } else if (!is_digit(at())) {
    return expected("a number");
  }
  if (at() == '0') {
    ++at_;
    if (is_digit(at())) return syntax("a number must not begin with 0");
  } else if (!digits()) {
    return false;
  }
  if (at() == '.') {
    integer = false;
    ++at_;
    if (!digits()) return false;
  }
  if (at() == 'e' || at() == 'E') {
    integer = false;
    ++at_;
    if (at() == '+' || at() == '-') ++at_;
    if (!digits()) return false;
  }
  token = text_.substr(start, at_ - start);
  return true;
}

bool JsonReader::read_double(double& out, std::string_view& token) {
  bool integer = false;
  if (!read_number(token, integer)) return false;
  out = to_double(token);
  return true;
}

bool JsonReader::skip_value() {
  Kind kind{};
  if (!peek(kind)) return false;
  bool more = false;
  std::string_view string;
  switch (kind) {
    case Kind::kObject:
      if (!begin_object()) return false;
      while (next_member(more) && more) {
        if (!skip_value()) return false;  // at most kMaxJsonDepth calls deep
      }
      return !failed_;
    case Kind::kArray:
      if (!begin_array()) return false;
      while (next_element(more) && more) {
        if (!skip_value()) return false;
      }
      return !failed_;
    case Kind::kString: return read_string(string);
    case Kind::kNumber: {
      bool integer = false;
      return read_number(string, integer);
    }
    case Kind::kBool: return literal(text_[at_] == 't' ? "true" : "false");
    case Kind::kNull: return literal("null");
  }
  return false;
}

bool JsonReader::finish() {
  if (failed_) return false;
  skip_space();
  return at_ == text_.size() ? true : syntax("something follows the end");
}

void JsonReader::go_to(const Mark& mark) {
  at_ = mark.at;
  depth_ = mark.depth;
  fresh_ = mark.fresh;
}

}  // namespace bascule::protocol
