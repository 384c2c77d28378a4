// What is packed with gzip or deflate on the wire; and the part of Handlers that packs and unpacks.
#include "http/content_coding.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "http/handlers.h"

namespace bascule::http {
namespace {

// What a thread that reads unpacks itself: at most 1032 times as much comes out, 4 MB, which takes 12 ms.
constexpr std::size_t kUnpackedHere = 4ULL << 10U;
constexpr std::size_t kPackedHere = 64ULL << 10U;  // the same of an answer: less than 1 ms

// Takes the part before the next `separator` off the front of `rest`.
std::string_view next_part(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = text::trimmed(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

// The weight among the parameters of one item: 1 where there is none, nothing where it cannot be read.
std::optional<double> weight_of(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view value = next_part(parameters, ';');
    const std::string_view name = next_part(value, '=');
    if (!text::equals_ignoring_case(name, "q")) continue;
    double weight = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), weight);
    if (error != std::errc() || end != value.data() + value.size() || !(weight >= 0 && weight <= 1)) {
      return std::nullopt;
    }
    return weight;
  }
  return 1;
}

// What of a request's head is looked at after its body was read, in memory of its own.
// Thread-safety: external (one owner).
class KeptHead {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): made in place, as a member
  KeptHead(const RequestHead& head)
      : host_(head.host), query_(head.query), content_type_(head.content_type), accept_(head.accept) {
    head_.method = head.method;
    head_.connection = head.connection;
    head_.gone = head.gone;
    head_.host = host_;
    head_.query = query_;
    head_.content_type = content_type_;
    head_.accept = accept_;
  }
  KeptHead(const KeptHead&) = delete;
  KeptHead& operator=(const KeptHead&) = delete;
  [[nodiscard]] const RequestHead& head() const { return head_; }

 private:
  const std::string host_, query_, content_type_, accept_;
  RequestHead head_;
};

}  // namespace

std::string_view coding_name(Compression coding) { return coding == Compression::kGzip ? "gzip" : "deflate"; }

std::optional<Compression> choose_coding(std::string_view accept) {
  std::optional<double> gzip;
  std::optional<double> deflate;
  std::optional<double> identity;
  std::optional<double> others;
  while (!accept.empty()) {
    std::string_view item = next_part(accept, ',');
    const std::string_view name = next_part(item, ';');
    const std::optional<double> weight = weight_of(item);
    if (!weight) continue;
    if (const auto coding = parse_compression(name)) {
      (coding == Compression::kGzip ? gzip : deflate) = weight;
    } else if (text::equals_ignoring_case(name, "identity")) {
      identity = weight;
    } else if (name == "*") {
      others = weight;
    }
  }
  const double zipped = gzip.value_or(others.value_or(0));
  const double deflated = deflate.value_or(others.value_or(0));
  const double best = std::max(zipped, deflated);
  if (best <= 0 || identity.value_or(0) > best) return std::nullopt;
  return zipped >= deflated ? Compression::kGzip : Compression::kDeflate;
}

void pack(Reply& reply, Compression coding) {
  const std::size_t size = reply.body.size();
  if (size < kWorthPacking) return;
  std::vector<std::span<const std::byte>> pieces{std::as_bytes(std::span(reply.body.head))};
  pieces.insert(pieces.end(), reply.body.parts.begin(), reply.body.parts.end());
  Result<std::vector<std::byte>> packed = compress(pieces, coding);
  if (!packed || packed->size() >= size) return;
  const auto owner = std::make_shared<const std::vector<std::byte>>(*std::move(packed));
  if (reply.body.binary) reply.json_length = reply.body.head.size();
  reply.body = {.parts = {*owner}, .owners = {owner}};
  reply.coding = coding;
}

// Called with the answer; packs what is large on a thread of the executor.
Handlers::Done Handlers::packed(Compression coding, Done done) const {
  return [coding, &executor = services_.executor, done = std::move(done)](Reply reply) mutable {
    if (reply.body.size() <= kPackedHere) {
      pack(reply, coding);
      return done(std::move(reply));
    }
    struct Work {
      Reply reply;
      Done done;
    };
    const auto work = std::make_shared<Work>(std::move(reply), std::move(done));
    const Result<void> posted = executor.post([work, coding] {
      pack(work->reply, coding);
      work->done(std::move(work->reply));
    });
    if (!posted) work->done(std::move(work->reply));  // larger, and now
  };
}

// Goes on with what was packed: as much memory as the route allows a body, whatever the stream announces.
void Handlers::unpack(const Admission& admission, const RequestHead& head, protocol::RequestBody body,
                      TimePoint started, Done done) {
  struct Work {
    Admission admission;
    KeptHead head;
    protocol::RequestBody body;
    TimePoint started;
    Done done;
  };
  const bool here = body.bytes.size() <= kUnpackedHere;
  const auto work = std::make_shared<Work>(admission, head, std::move(body), started, std::move(done));
  const auto run = [self = shared_from_this(), work] {
    const Route& route = *work->admission.match.route;
    auto plain = decompress(work->body.bytes, *work->admission.coding, work->admission.limit);
    work->body = {};
    if (!plain) {
      const unsigned status = protocol::http_status(plain.error(), self->dialect_of(route));
      work->done(self->refuse(plain.error().reason == Reason::kBodyTooLarge
                                  ? self->too_large(work->admission, std::nullopt)
                                  : self->refusal_of(route, status, std::move(plain).error())));
      return;
    }
    const auto owner = std::make_shared<const std::vector<std::byte>>(*std::move(plain));
    self->dispatch(work->admission, work->head.head(), {.bytes = *owner, .owner = owner}, work->started,
                   std::move(work->done));
  };
  if (here) return run();
  const Result<void> posted = services_.executor.post(run);
  if (!posted) work->done(fail(work->admission.match, posted.error(), started));
}

void Handlers::answer(const Admission& admission, const RequestHead& head, protocol::RequestBody body,
                      TimePoint started, Done done) {
  services_.executor.give_way();
  if (const auto coding = choose_coding(head.accept_encoding)) done = packed(*coding, std::move(done));
  if (admission.coding && !body.bytes.empty()) {
    return unpack(admission, head, std::move(body), started, std::move(done));
  }
  dispatch(admission, head, std::move(body), started, std::move(done));
}

}  // namespace bascule::http
