#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace bascule::net {

// What came back, whatever the status.
// Thread-safety: a value.
struct PostAnswer {
  unsigned status = 0;
  std::optional<Duration> retry_after;  // that the answer asks for
  std::string body;
};

// Sends to one URL of the operator's, by POST, over a connection that is kept. Any address will do: it is the
// operator who named it. No name, cookie or proxy comes out of the environment, and a redirect is an answer
// like any other.
// Thread-safety: external (one thread at a time).
class Poster {
 public:
  static constexpr std::size_t kMaxAnswer = 64ULL << 10U;

  // `fields`: header fields, "Name: value"; secret. `clock` outlives it. An answer of more than `max_answer`
  // bytes is none. Errors: of Url::parse.
  static Result<Poster> open(const std::string& url, const std::vector<std::string>& fields,
                             const Clock& clock, std::size_t max_answer = kMaxAnswer);
  ~Poster();
  Poster(Poster&&) noexcept;
  Poster& operator=(Poster&&) noexcept;

  // Waits for the answer, until `end`; `stop` is asked now and then whether to give up. Errors: kUnavailable
  // where none came; the sentence names the host alone.
  Result<PostAnswer> post(std::string_view body, TimePoint end, const std::function<bool()>& stop);
  // "collector.example:4318", for messages.
  [[nodiscard]] const std::string& shown() const;

 private:
  struct State;
  explicit Poster(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bascule::net
