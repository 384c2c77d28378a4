#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/gate.h"
#include "base/compression.h"
#include "base/mutex.h"
#include "content/infer.h"
#include "http/reply.h"
#include "http/request.h"
#include "http/route.h"
#include "http/server.h"
#include "metrics/metrics.h"
#include "protocol/body.h"
#include "protocol/ultralytics/ultralytics.h"
#include "protocol/v2/v2.h"
#include "serving/accounts.h"

namespace bascule::applications::checkout {
struct Once;
class Till;
}  // namespace bascule::applications::checkout

namespace bascule::http {

// A request whose head is accepted: where it goes, and what the reader of its body must know.
struct Admission {
  Match match;
  std::size_t limit = 0;                   // of the body
  std::string_view kind;                   // what the limit is for: "JSON", "binary data", …
  std::optional<std::size_t> json_length;  // bytes of JSON in front of binary tensors
  std::optional<Compression> coding;       // how the body is packed; the limit holds for what comes out, too
  std::optional<Duration> timeout;         // from the request's first byte; then it is not run any more
  access::KeyPtr key;                      // whose request it is; null: not known
};

// Answers requests: no sockets here. Counts every answer and every refusal.
// Thread-safety: thread-safe.
class Handlers : public std::enable_shared_from_this<Handlers> {
 public:
  // Called once, on the caller's thread or on one of the executor's.
  using Done = std::move_only_function<void(Reply)>;

  // `loopback`: whether only this machine can reach the server.
  Handlers(const ServerOptions& options, serving::Services services, bool loopback)
      : options_(options),
        gate_(options.gate != nullptr ? options.gate : std::make_shared<access::Gate>(services.clock)),
        services_(services),
        accounts_(services.metrics, services.control, services.clock),
        loopback_(loopback) {}

  // Decides on the head alone. `length`: the body's, where it is announced; `arrived`: it was read with the
  // head, so that nothing is saved by refusing it for a full queue here.
  std::expected<Admission, Refusal> admit(const RequestHead& head, std::optional<std::uint64_t> length,
                                          bool arrived) const;
  // Answers; `started`: when the first byte came. What `head` views is not used after this returns.
  void answer(const Admission& admission, const RequestHead& head, protocol::RequestBody body,
              TimePoint started, Done done);
  // The reply to what is not served.
  Reply refuse(const Refusal& refusal);
  // What Access-Control-Allow-Origin says of a reply to a page of `origin`; empty: nothing.
  [[nodiscard]] std::string_view shared_with(std::string_view origin) const {
    return gate_->shared_with(origin);
  }
  // Ends the streams that have no end of their own.
  void end_streams();
  // The refusal of a body beyond the limit; `size` where it is known.
  [[nodiscard]] Refusal too_large(const Admission& admission, std::optional<std::uint64_t> size) const;

 private:
  Done packed(Compression coding, Done done) const;
  void unpack(const Admission& admission, const RequestHead& head, protocol::RequestBody body,
              TimePoint started, Done done);
  // Answers with the body as it was meant.
  void dispatch(const Admission& admission, const RequestHead& head, protocol::RequestBody body,
                TimePoint started, Done done);
  // Says in `request` which model the route means, and who asks.
  static void address(content::InferRequest& request, const Admission& admission, const RequestHead& head,
                      TimePoint started);
  void infer(const Admission& admission, const RequestHead& head, const protocol::RequestBody& body,
             TimePoint started, Done done);
  void generate(const Admission& admission, const RequestHead& head, const protocol::RequestBody& body,
                TimePoint started, Done done);
  // Calls `then` on one of the executor's threads: for what waits for a disk, or computes.
  void elsewhere(const Match& match, TimePoint started, std::move_only_function<void(Done)> then, Done done);
  // Waits for a model that loads on use before `then` has to know it.
  void when_loaded(const Admission& admission, TimePoint started, std::move_only_function<void(Done)> then,
                   Done done);
  void predict(const Admission& admission, const RequestHead& head, const protocol::RequestBody& body,
               TimePoint started, Done done);
  void predict_rows(const Admission& admission, const RequestHead& head, const protocol::RequestBody& body,
                    TimePoint started, Done done);
  [[nodiscard]] Error too_many_rows(std::size_t bytes) const;
  // "http://127.0.0.1:8000", as the caller reached the server.
  [[nodiscard]] std::string address_of(const RequestHead& head) const;
  // Adds to a refusal for the wrong kind of content a call that the model takes.
  Error with_example(Error error, const Match& match, const std::string& address) const;
  // A predict call on its way.
  struct Asked {
    Match match;
    protocol::ultralytics::PredictCall call;
    TimePoint started;
    std::string address;    // as the caller reached the server
    bool as_lines = false;  // the frames of a video, as JSON lines
  };
  class VideoReply;
  void predict_url(Asked asked, Done done);
  void predict_content(Asked asked, Done done);
  void predict_video(Asked asked, Done done);
  void run_video(Asked& asked, Done done);
  void control(const Admission& admission, const protocol::RequestBody& body, TimePoint started, Done done);
  void load(const Match& match, const protocol::RequestBody& body, TimePoint started, Done done);
  serving::ControlService::Done when_changed(const Match& match, TimePoint started, Done done);
  void limit_body(Admission& admission) const;
  [[nodiscard]] protocol::Dialect dialect_of(const Route& route) const;
  [[nodiscard]] Refusal refusal_of(const Route& route, unsigned status, Error error) const;
  std::expected<access::KeyPtr, Refusal> admit_caller(const Route& route, const RequestHead& head) const;
  std::expected<Admission, Refusal> admit_known(Admission admission, const RequestHead& head,
                                                std::optional<std::uint64_t> length, bool arrived) const;
  [[nodiscard]] std::expected<Admission, Refusal> admit_preflight(const RequestHead& head) const;
  [[nodiscard]] std::optional<Refusal> refuse_for_queue(const Match& match, const RequestHead& head) const;
  Reply logging(const Admission& admission, const protocol::RequestBody& body, TimePoint started);
  Reply tracing(const Admission& admission, const protocol::RequestBody& body, TimePoint started);
  Reply repository_index(const Match& match, const protocol::RequestBody& body, TimePoint started);
  Result<void> read_shared(protocol::v2::InferCall& call) const;
  Result<protocol::ReplyBody> reply_of(const content::InferResponse& answer,
                                       const protocol::v2::ReplyChoice& choice) const;
  Reply shared_memory(const Match& match, const protocol::RequestBody& body, TimePoint started);
  // The routes of applications.
  void application(const Admission& admission, const RequestHead& head, const protocol::RequestBody& body,
                   TimePoint started, Done done);
  Result<Reply> application_reply(const Match& match, const RequestHead& head,
                                  const protocol::RequestBody& body);
  Result<Reply> application_told(const Match& match, std::string_view query) const;
  Result<Reply> push_frame(const Match& match, std::string_view content_type,
                           const protocol::RequestBody& body) const;
  Result<Reply> event_stream(const Match& match, const RequestHead& head);
  Result<Reply> application_frame(const Match& match) const;
  Result<Reply> application_days(const Match& match, std::string_view query) const;
  // The routes of tills.
  void till(const Admission& admission, const RequestHead& head, const protocol::RequestBody& body,
            TimePoint started, Done done);
  Result<std::string> till_answer(const Match& match, const protocol::RequestBody& body,
                                  const applications::checkout::Once& once) const;
  void basket_frame(const Match& match, const RequestHead& head, const protocol::RequestBody& body,
                    applications::checkout::Once once, Done done);
  Reply till_failed(const Match& match, const Error& error, TimePoint started);
  Result<std::shared_ptr<applications::checkout::Till>> till_of(const Match& match) const;
  Reply look_up(const Admission& admission, const RequestHead& head, TimePoint started);
  Reply model_metadata(const Match& match, TimePoint started);
  Reply model_config(const Match& match, TimePoint started);
  Reply model_ready(const Match& match, TimePoint started);
  Reply deployment_health(const Match& match, TimePoint started);
  Reply statistics(const Match& match, TimePoint started);
  Reply fail(const Match& match, const Error& error, TimePoint started);
  Reply finish(const Match& match, Result<protocol::ReplyBody>&& body, const content::InferResponse& answer,
               TimePoint started);
  std::string index_page(const RequestHead& head) const;
  void expose(Done done);
  std::string exposition();
  [[nodiscard]] std::vector<metrics::ApplicationNow> applications_now() const;

  const ServerOptions options_;
  const std::shared_ptr<const access::Gate> gate_;
  const serving::Services services_;
  const serving::Accounts accounts_;
  const bool loopback_;
  // Streams of events, which end when the server stops; those that are gone are taken out now and then.
  // Nothing once it does.
  Guarded<std::optional<std::vector<std::weak_ptr<ReplyStream>>>> event_streams_{
      std::vector<std::weak_ptr<ReplyStream>>()};
};

}  // namespace bascule::http
