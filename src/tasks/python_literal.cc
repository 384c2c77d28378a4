#include "tasks/python_literal.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::tasks {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

void append_utf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0U | (code >> 6U));
    put(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    put(0xE0U | (code >> 12U));
    put(0x80U | ((code >> 6U) & 0x3FU));
    put(0x80U | (code & 0x3FU));
  } else {
    put(0xF0U | (code >> 18U));
    put(0x80U | ((code >> 12U) & 0x3FU));
    put(0x80U | ((code >> 6U) & 0x3FU));
    put(0x80U | (code & 0x3FU));
  }
}

// Recursive descent over one text; `depth_` bounds the recursion.
class Reader {
 public:
  Reader(std::string_view text, const PythonLimits& limits) : text_(text), limits_(limits) {}

  Result<PythonValue> whole() {
    BASCULE_ASSIGN(PythonValue out, value());
    skip_space();
    if (at_ < text_.size()) return wrong("the end");
    return out;
  }

 private:
  [[nodiscard]] Error wrong(std::string_view expected) const {
    return invalid_argument(fmt::format("Not a Python literal: {} was expected at byte {}, not '{}'.",
                                        expected, at_, text::escape_controls(text_.substr(at_, 12))));
  }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

  // The next character after spaces; '\0' at the end.
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool take(char c) {
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }

  Result<PythonValue> value() {
    if (++values_ > limits_.values) {
      return invalid_argument(
          fmt::format("The Python literal has more than the {} values that are read.", limits_.values));
    }
    switch (peek()) {
      case '{': return nested(&Reader::dict);
      case '[': return nested(&Reader::list);
      case '(': return nested(&Reader::tuple);
      case '\'':
      case '"': return string();
      default: return scalar();
    }
  }

  Result<PythonValue> nested(Result<PythonValue> (Reader::*read)()) {
    if (depth_ >= limits_.depth) {
      return invalid_argument(fmt::format(
          "The Python literal is nested deeper than the {} levels that are read.", limits_.depth));
    }
    ++depth_;
    ++at_;  // the opening bracket
    Result<PythonValue> out = (this->*read)();
    --depth_;
    return out;
  }

  Result<PythonValue> list() {
    PythonValue::List items;
    BASCULE_ASSIGN(const bool comma, items_until(']', items));
    static_cast<void>(comma);
    return PythonValue{std::move(items)};
  }

  Result<PythonValue> tuple() {
    PythonValue::List items;
    BASCULE_ASSIGN(const bool comma, items_until(')', items));
    if (items.size() == 1 && !comma) return std::move(items.front());  // only brackets around a value
    return PythonValue{std::move(items)};
  }

  // Values up to the closing bracket; true where the last one was followed by a comma.
  Result<bool> items_until(char close, PythonValue::List& items) {
    bool comma = false;
    while (!take(close)) {
      if (!items.empty() && !comma) return wrong("',' or a closing bracket");
      BASCULE_ASSIGN(PythonValue item, value());
      items.push_back(std::move(item));
      comma = take(',');
    }
    return comma;
  }

  Result<PythonValue> dict() {
    PythonValue::Dict entries;
    bool comma = true;
    while (!take('}')) {
      if (!comma) return wrong("',' or '}'");
      BASCULE_ASSIGN(PythonValue key, value());
      if (!take(':')) return wrong("':'");
      BASCULE_ASSIGN(PythonValue mapped, value());
      entries.push_back({std::move(key), std::move(mapped)});
      comma = take(',');
    }
    return PythonValue{std::move(entries)};
  }

  Result<PythonValue> string() {
    const char quote = text_[at_++];
    std::string out;
    while (at_ < text_.size() && text_[at_] != quote) {
      const char c = text_[at_];
      if (c == '\n' || c == '\r') return wrong("a closing quote");
      ++at_;
      if (c != '\\') {
        out.push_back(c);
      } else {
        BASCULE_TRY(escape(out));
      }
    }
    if (at_ >= text_.size()) return wrong("a closing quote");
    ++at_;
    return PythonValue{std::move(out)};
  }

  Result<void> escape(std::string& out) {
    if (at_ >= text_.size()) return wrong("a character after '\\'");
    const char c = text_[at_++];
    switch (c) {
      case '\n': return {};  // a line that goes on
      case '\\':
      case '\'':
      case '"': out.push_back(c); return {};
      case 'a': out.push_back('\a'); return {};
      case 'b': out.push_back('\b'); return {};
      case 'f': out.push_back('\f'); return {};
      case 'n': out.push_back('\n'); return {};
      case 'r': out.push_back('\r'); return {};
      case 't': out.push_back('\t'); return {};
      case 'v': out.push_back('\v'); return {};
      case 'x': return code_point(out, 2, 2, 16);
      case 'u': return code_point(out, 4, 4, 16);
      case 'U': return code_point(out, 8, 8, 16);
      default: break;
    }
    if (c >= '0' && c <= '7') {
      --at_;
      return code_point(out, 1, 3, 8);
    }
    out.push_back('\\');  // Python keeps the backslash of an escape it does not know
    out.push_back(c);
    return {};
  }

  Result<void> code_point(std::string& out, std::size_t least, std::size_t most, int base) {
    std::uint32_t code = 0;
    const char* first = text_.data() + at_;
    const char* last = first + std::min(most, text_.size() - at_);
    const auto [end, error] = std::from_chars(first, last, code, base);
    const auto digits = static_cast<std::size_t>(end - first);
    if (error != std::errc{} || digits < least) return wrong("the digits of an escape");
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return wrong("a Unicode character");
    at_ += digits;
    append_utf8(out, code);
    return {};
  }

  Result<PythonValue> scalar() {
    const auto word = [this](std::string_view name) {
      if (!text_.substr(at_).starts_with(name)) return false;
      at_ += name.size();
      return true;
    };
    if (word("None")) return PythonValue{};
    if (word("True")) return PythonValue{true};
    if (word("False")) return PythonValue{false};
    return number();
  }

  Result<PythonValue> number() {
    const std::size_t start = at_;
    std::size_t end = at_;
    if (end < text_.size() && (text_[end] == '-' || text_[end] == '+')) ++end;
    if (end >= text_.size() || !(is_digit(text_[end]) || text_[end] == '.')) return wrong("a value");
    const auto in_number = [this, &end] {
      const char c = text_[end];
      if (c != '-' && c != '+') return is_digit(c) || c == '.' || c == 'e' || c == 'E';
      const char before = end == 0 ? ' ' : text_[end - 1];
      return before == 'e' || before == 'E';
    };
    while (end < text_.size() && in_number()) ++end;
    std::string_view digits = text_.substr(start, end - start);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const char* last = digits.data() + digits.size();
    if (digits.find_first_of(".eE") == std::string_view::npos) {
      std::int64_t whole = 0;
      const auto [stop, error] = std::from_chars(digits.data(), last, whole);
      if (error != std::errc{} || stop != last) return wrong("a number of 64 bits");
      at_ = end;
      return PythonValue{whole};
    }
    double real = 0;
    const auto [stop, error] = std::from_chars(digits.data(), last, real);
    if (error != std::errc{} || stop != last) return wrong("a number");
    at_ = end;
    return PythonValue{real};
  }

  std::string_view text_;
  const PythonLimits& limits_;
  std::size_t at_ = 0;
  std::size_t values_ = 0;
  int depth_ = 0;
};

}  // namespace

std::optional<std::int64_t> PythonValue::integer() const {
  const auto* whole = std::get_if<std::int64_t>(&value);
  return whole != nullptr ? std::optional(*whole) : std::nullopt;
}

const PythonValue* PythonValue::find(std::string_view key) const {
  if (dict() == nullptr) return nullptr;
  const auto found = std::find_if(dict()->rbegin(), dict()->rend(), [key](const PythonEntry& entry) {
    return entry.key.text() != nullptr && *entry.key.text() == key;
  });
  return found == dict()->rend() ? nullptr : &found->value;
}

bool PythonValue::truthy() const {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole != 0;
  if (const auto* real = std::get_if<double>(&value)) return *real != 0;
  if (text() != nullptr) return !text()->empty();
  if (list() != nullptr) return !list()->empty();
  return dict() != nullptr && !dict()->empty();
}

Result<PythonValue> parse_python_literal(std::string_view text, const PythonLimits& limits) {
  if (text.size() > limits.bytes) {
    return invalid_argument(fmt::format("The Python literal has {}; at most {} are read.",
                                        text::human_bytes(text.size()), text::human_bytes(limits.bytes)));
  }
  return Reader(text, limits).whole();
}

}  // namespace bascule::tasks
