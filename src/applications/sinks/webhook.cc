#include <array>
#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "applications/sinks.h"
#include "applications/sinks/secret.h"
#include "base/date.h"
#include "base/digest.h"
#include "base/text.h"
#include "net/poster.h"

namespace bascule::applications {
namespace {

constexpr std::size_t kShown = 200;  // characters of an answer, in a message

std::string_view text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_worth_another(unsigned status) {
  return status == 408 || status == 425 || status == 429 || status < 400 || status >= 500;
}

// Thread-safety: external (one thread at a time).
class Webhook final : public Sink {
 public:
  Webhook(WebhookOptions options, std::string secret, net::Poster poster, const Clock& clock)
      : options_(std::move(options)), secret_(std::move(secret)), poster_(std::move(poster)), clock_(clock) {}

  Result<void> deliver(const Event& event, const std::function<bool()>& stop) override {
    std::string joined;
    std::vector<std::string> fields{"X-Bascule-Event: " + event.id};
    if (options_.picture && event.picture != nullptr) {
      joined = multipart(event);
      fields.push_back("Content-Type: multipart/form-data; boundary=" + boundary(event));
    } else {
      fields.emplace_back("Content-Type: application/json");
    }
    const std::string_view body = joined.empty() ? std::string_view(event.json) : joined;
    if (!secret_.empty()) fields.push_back("X-Bascule-Signature: " + signature(body));
    BASCULE_ASSIGN(const net::PostAnswer answer,
                   poster_.post(body, clock_.now() + options_.time_limit, stop, fields));
    return judged(answer);
  }

 private:
  static std::string boundary(const Event& event) { return "bascule-" + event.id; }

  static std::string multipart(const Event& event) {
    std::string out;
    out.reserve(event.json.size() + event.picture->size() + 1024);
    const auto part = [&](std::string_view name, std::string_view file, std::string_view type) {
      out += fmt::format(
          "--{}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
          boundary(event), name, file, type);
    };
    part("event", "event.json", "application/json");
    out += event.json;
    out += "\r\n";
    part("picture", "picture.jpg", "image/jpeg");
    out += text_of(*event.picture);
    out += fmt::format("\r\n--{}--\r\n", boundary(event));
    return out;
  }

  [[nodiscard]] std::string signature(std::string_view body) const {
    const std::string time = std::to_string(unix_time() / std::chrono::seconds(1));
    const std::array<std::string_view, 3> parts{time, ".", body};
    return fmt::format("t={},v1={}", time, keyed_digest(secret_, parts));
  }

  [[nodiscard]] Result<void> judged(const net::PostAnswer& answer) const {
    if (answer.status >= 200 && answer.status < 300) return {};
    const std::string said = text::escape_controls(text::shortened(text::trimmed(answer.body), kShown));
    std::string message = fmt::format("'{}' answers with status {}{}{}.", poster_.shown(), answer.status,
                                      said.empty() ? "" : ": ", said);
    if (answer.status >= 300 && answer.status < 400)
      message += " A redirect is not followed; give the URL it leads to.";
    return Error{.code = is_worth_another(answer.status) ? Code::kUnavailable : Code::kInvalidArgument,
                 .message = std::move(message),
                 .fields = {.retry_after = answer.retry_after.value_or(Duration{})}};
  }

  const WebhookOptions options_;
  const std::string secret_;
  net::Poster poster_;
  const Clock& clock_;
};

}  // namespace

Result<std::unique_ptr<Sink>> open_webhook(const WebhookOptions& options, const Clock& clock) {
  std::string secret;
  if (!options.secret_file.empty()) {
    BASCULE_ASSIGN(secret, read_secret(options.secret_file));
  }
  BASCULE_ASSIGN(
      net::Poster poster,
      net::Poster::open(options.url, {.allow_private = options.allow_private, .ca_file = options.ca_file},
                        clock));
  return std::unique_ptr<Sink>(
      std::make_unique<Webhook>(options, std::move(secret), std::move(poster), clock));
}

}  // namespace bascule::applications
