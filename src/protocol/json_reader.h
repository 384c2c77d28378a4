#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "protocol/json.h"

namespace bascule::protocol {

// A pull reader over one JSON text (RFC 8259): the caller asks for what should come next, and every value is
// either read or walked over by skip_value(), so nothing in a text goes unchecked. It keeps no index of the
// text, because an index costs up to four bytes for each byte of a body and a request may cost six in all.
// Every function returns false once something is wrong; error() then says what and at which byte.
//
//   JsonReader json(text, "the request");
//   bool more = false;
//   if (!json.begin_object()) return json.error();
//   while (json.next_member(more) && more) { … json.key() … read or skip the value … }
//   if (json.failed() || !json.finish()) return json.error();
//
// Thread-safety: one thread at a time.
class JsonReader {
 public:
  // `text` must outlive the reader. `what` names the text in messages: "the request body".
  JsonReader(std::string_view text, std::string_view what);

  enum class Kind : std::uint8_t { kObject, kArray, kString, kNumber, kBool, kNull };
  // The kind of the value that comes next, by its first character; false where none can begin there.
  bool peek(Kind& kind);

  bool begin_object();
  // Goes to the next member's value, `more` false at the end of the object.
  bool next_member(bool& more);
  // The name of the member that next_member() stopped at; valid until the next string is read.
  [[nodiscard]] std::string_view key() const { return key_; }
  bool begin_array();
  bool next_element(bool& more);

  // The string's value; valid until the next string is read.
  bool read_string(std::string_view& out);
  bool read_bool(bool& out);
  // Checks the next number and gives its text; `integer` where it has neither fraction nor exponent.
  bool read_number(std::string_view& token, bool& integer);
  // Checks the next number and gives it rounded to the nearest double; numbers too small become zero, numbers
  // too large infinity.
  bool read_double(double& out, std::string_view& token);
  // Walks over whatever comes next.
  bool skip_value();
  // Only white space may follow.
  bool finish();

  // Where the reader is; a value seen can be read again from its mark.
  struct Mark {
    std::size_t at = 0;
    std::size_t depth = 0;
    bool fresh = false;
  };
  [[nodiscard]] Mark mark() const { return {.at = at_, .depth = depth_, .fresh = fresh_}; }
  void go_to(const Mark& mark);

  [[nodiscard]] std::size_t offset() const { return at_; }
  // Bytes not read yet: an upper bound for what may still come.
  [[nodiscard]] std::size_t rest() const { return text_.size() - at_; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] const Error& error() const { return error_; }
  // Records an error of the caller's own; returns false, so that it can end a function.
  bool fail(Error error);

 private:
  void skip_space();
  bool syntax(std::string_view problem);
  bool expected(std::string_view thing);
  bool open(char bracket, std::string_view thing);
  bool literal(std::string_view word);
  bool escaped_string(std::size_t start, std::string_view& out);
  bool escape();
  bool hex4(std::uint32_t& out);
  bool digits();

  std::string_view text_;
  std::string_view what_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  bool fresh_ = false;  // right behind an opening bracket: no comma is due
  bool failed_ = false;
  std::string_view key_;
  std::string key_memory_;  // keys and strings that held escapes
  std::string scratch_;
  Error error_;
};

// Checks that `text` is UTF-8 (one pass, before any reader), and says where it is not. Errors:
// kInvalidArgument, kJsonSyntax.
Result<void> check_utf8(std::string_view text, std::string_view what);

}  // namespace bascule::protocol
