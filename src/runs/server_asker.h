#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "net/poster.h"
#include "runs/asker.h"
#include "runs/server_choice.h"

namespace bascule::runs {

struct ServerOptions {
  std::vector<std::string> urls;  // at least one; what has no path is asked at /models/MODEL/predict
  std::string model;
  std::string key;                                          // secret; empty: none
  std::vector<std::pair<std::string, std::string>> fields;  // of the form that a picture is sent with
  Duration give_up_after = std::chrono::minutes(5);         // without any answer
  Duration time_limit = std::chrono::minutes(5);            // of one request
  std::function<bool()> stop;                               // asked by any thread: give up waiting
};

// A run's questions, answered by servers over HTTP as by any client's: a picture in a form, rows as JSON or
// CSV. Each goes to the server with the fewest under way. One that is busy (429, 503), fails or takes no
// connection is left alone for a while, and its questions go to others, or to itself later. Thread-safety:
// thread-safe; each call waits for its answer.
class ServerAsker final : public Asker {
 public:
  // `clock` outlives it. Errors: of net::Poster::open, for a URL that is none.
  static Result<std::unique_ptr<ServerAsker>> open(ServerOptions options, const Clock& clock);
  ServerAsker(ServerOptions options, const Clock& clock);

  Result<std::string> ask_picture(const content::EncodedPicture& picture) override;
  Result<std::vector<std::string>> ask_rows(const RowsQuestion& question) override;

 private:
  enum class Kind : std::uint8_t { kPicture, kJson, kCsv };
  static constexpr std::size_t kKinds = 3;
  using Idle = std::array<std::vector<net::Poster>, kKinds>;  // connections that nobody uses

  Result<std::string> ask(Kind kind, std::string_view body);
  Result<std::size_t> wait_for_server();
  Result<net::Poster> connection(std::size_t server, Kind kind);
  Result<net::PostAnswer> post(std::size_t server, Kind kind, std::string_view body);
  void end(std::size_t server, TimePoint sent, const Result<net::PostAnswer>& answer);

  const ServerOptions options_;
  const Clock& clock_;
  Mutex mutex_;
  ConditionVariable changed_;
  std::vector<ServerHealth> servers_ BASCULE_GUARDED_BY(mutex_);
  std::vector<Idle> idle_ BASCULE_GUARDED_BY(mutex_);
  std::optional<TimePoint> failing_since_ BASCULE_GUARDED_BY(mutex_);  // without an answer of any server
  std::string last_failure_ BASCULE_GUARDED_BY(mutex_);
};

}  // namespace bascule::runs
