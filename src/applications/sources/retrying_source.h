#pragma once

#include <functional>
#include <memory>
#include <string>

#include "applications/source.h"
#include "base/back_off.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace bascule::applications {

struct RetryingOptions {
  std::string source;       // for log lines
  bool live = false;        // as Source::live
  bool endless = false;     // an end is a failure, too: a camera's
  std::uint64_t after = 0;  // the frame that was handled last
  BackOffOptions back_off;
};

// Opens a source again whenever it has failed, after waits that grow, for as long as it takes.
// Thread-safety: as Source.
class RetryingSource final : public Source {
 public:
  // Opens it where frames behind `after` come next.
  using Open = std::function<Result<std::unique_ptr<Source>>(std::uint64_t after)>;

  // `clock` outlives it.
  RetryingSource(RetryingOptions options, Open open, const Clock& clock)
      : options_(std::move(options)),
        open_(std::move(open)),
        clock_(clock),
        back_off_(options_.back_off),
        after_(options_.after) {}

  Result<std::optional<Frame>> next(const Stop& stop) override;
  [[nodiscard]] SourceState state() const override;
  [[nodiscard]] bool live() const override { return options_.live; }

 private:
  void close();
  void failed(const Error& error);

  const RetryingOptions options_;
  const Open open_;
  const Clock& clock_;
  BackOff back_off_;
  std::uint64_t after_;
  bool opened_ = false;  // once
  // Null between two tries. Only `next` changes it; `state` looks at it.
  Guarded<std::shared_ptr<Source>> source_;
  Guarded<SourceState> state_;  // sums of those before, and how it is now
};

}  // namespace bascule::applications
