#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
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

struct PosterOptions {
  std::vector<std::string> fields = {};  // header fields, "Name: value"; secret
  bool allow_private = true;             // addresses that are none of the public internet may be connected to
  std::filesystem::path ca_file = {};    // whose certificates https trusts; empty: the system's
  std::size_t max_answer = 64ULL << 10U;  // bytes; a longer answer is none
};

// Sends to one URL of the operator's, by POST, over a connection that is kept. Every address is looked at
// when it is connected to. No name, cookie or proxy comes out of the environment, and a redirect is an answer
// like any other.
// Thread-safety: external (one thread at a time).
class Poster {
 public:
  // `clock` outlives it. Errors: of Url::parse.
  static Result<Poster> open(const std::string& url, const PosterOptions& options, const Clock& clock);
  ~Poster();
  Poster(Poster&&) noexcept;
  Poster& operator=(Poster&&) noexcept;

  // Waits for the answer, until `end`; `stop` is asked now and then whether to give up. `fields` go in front
  // of those of all posts. Errors: kUnavailable where none came; the sentence names the host alone.
  Result<PostAnswer> post(std::string_view body, TimePoint end, const std::function<bool()>& stop,
                          std::span<const std::string> fields = {});
  // "collector.example:4318", for messages.
  [[nodiscard]] const std::string& shown() const;

 private:
  struct State;
  explicit Poster(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bascule::net
