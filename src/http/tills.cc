// The part of Handlers that answers for tills.
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "applications/checkout/till.h"
#include "applications/service.h"
#include "base/date.h"
#include "base/digest.h"
#include "base/text.h"
#include "http/handlers.h"
#include "http/pushed_picture.h"
#include "protocol/json_reader.h"
#include "protocol/percent.h"

namespace bascule::http {
namespace {

using applications::checkout::Once;
using applications::checkout::Said;
using applications::checkout::Till;

std::int64_t now_s() { return std::chrono::duration_cast<std::chrono::seconds>(unix_time()).count(); }

// A number of the path, or of a field.
Result<std::int64_t> number_of(std::string_view text, std::string_view what) {
  const auto number = text::parse_int(text);
  if (number && *number >= 1) return *number;
  return invalid_argument(
      fmt::format("'{}' is no number of {}: digits, from 1.", text::shortened(text), what));
}

// The whole request in a few words: what a key must not be used again for something else.
std::string request_of(const Match& match, std::string_view query, const protocol::RequestBody& body) {
  const std::string_view bytes(reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size());
  return fmt::format("{} {} {} {} {}", match.route->pattern, match.basket, match.line, query,
                     digest_of(bytes));
}

// {"class":"orange","pieces":2} or {"class":"banana","grams":530}.
Result<Said> said_of(const protocol::RequestBody& body) {
  protocol::JsonReader json({reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size()},
                            "the line");
  Said said;
  bool more = false;
  if (!json.begin_object()) return json.error();
  while (json.next_member(more) && more) {
    const std::string key(json.key());
    if (key == "class") {
      std::string_view name;
      if (!json.read_string(name)) return json.error();
      said.class_name = name;
    } else if (key == "pieces" || key == "grams") {
      std::string_view token;
      bool integer = false;
      if (!json.read_number(token, integer)) return json.error();
      BASCULE_ASSIGN(const std::int64_t number, number_of(token, key));
      (key == "pieces" ? said.pieces : said.grams) = number;
    } else {
      return invalid_argument(
          fmt::format("A line has 'class', 'pieces' and 'grams'; '{}' is not known.", text::shortened(key)));
    }
  }
  if (json.failed() || !json.finish()) return json.error();
  if (said.class_name.empty())
    return invalid_argument("The line has no 'class', such as {\"class\":\"orange\"}.");
  return said;
}

// What the scale says, in the form or the query.
Result<std::optional<std::int64_t>> grams_of(const PushedPicture& pushed, std::string_view query) {
  std::string grams = pushed.grams;
  BASCULE_ASSIGN(const auto pairs, protocol::parse_query(query));
  for (const auto& [name, value] : pairs) {
    if (name == "grams") grams = value;
  }
  if (grams.empty()) return std::optional<std::int64_t>();
  BASCULE_ASSIGN(const std::int64_t number, number_of(grams, "grams"));
  return std::optional(number);
}

Reply basket_reply(std::string basket, unsigned status) {
  return {.status = status, .body = {.head = std::move(basket)}};
}

}  // namespace

// Baskets are written to the disk before they are answered for: not on the thread that reads.
void Handlers::till(const Admission& admission, const RequestHead& head, const protocol::RequestBody& body,
                    TimePoint started, Done done) {
  const Match& match = admission.match;
  Once once{.key = std::string(head.idempotency_key), .request = request_of(match, head.query, body)};
  if (match.route->endpoint == Endpoint::kBasketFrame) {
    return basket_frame(match, head, body, std::move(once), std::move(done));
  }
  elsewhere(
      match, started,
      [self = shared_from_this(), match, body, started, once](Done next) {
        const bool begins = match.route->endpoint == Endpoint::kBasketBegin;
        Result<std::string> told = self->till_answer(match, body, once);
        if (!told) return next(self->till_failed(match, told.error(), started));
        Reply reply = basket_reply(*std::move(told), begins ? 201 : 200);
        if (match.route->endpoint == Endpoint::kBasketReceipt) reply.content_type = kText;
        next(std::move(reply));
      },
      std::move(done));
}

Result<std::string> Handlers::till_answer(const Match& match, const protocol::RequestBody& body,
                                          const Once& once) const {
  BASCULE_ASSIGN(const std::shared_ptr<Till> till, till_of(match));
  if (match.route->endpoint == Endpoint::kBasketBegin) return till->begin(once, now_s());
  BASCULE_ASSIGN(const std::int64_t basket, number_of(match.basket, "a basket"));
  switch (match.route->endpoint) {
    case Endpoint::kBasket: return till->show(basket);
    case Endpoint::kBasketReceipt: return till->receipt(basket);
    case Endpoint::kBasketClose: return till->close_basket(basket, once, now_s());
    case Endpoint::kBasketLine: {
      BASCULE_ASSIGN(const Said said, said_of(body));
      return till->add_line(basket, said, once, now_s());
    }
    default: break;
  }
  BASCULE_ASSIGN(const std::int64_t line, number_of(match.line, "a line"));
  if (match.route->endpoint == Endpoint::kBasketRemove) return till->remove(basket, line, once, now_s());
  BASCULE_ASSIGN(const Said said, said_of(body));
  return till->answer_line(basket, line, said, once, now_s());
}

void Handlers::basket_frame(const Match& match, const RequestHead& head, const protocol::RequestBody& body,
                            Once once, Done done) {
  const TimePoint started = services_.clock.now();
  const auto shown = [&]() -> Result<std::pair<std::shared_ptr<Till>, Till::Shown>> {
    BASCULE_ASSIGN(std::shared_ptr<Till> till, till_of(match));
    Till::Shown out;
    BASCULE_ASSIGN(out.basket, number_of(match.basket, "a basket"));
    BASCULE_ASSIGN(PushedPicture pushed, pushed_picture(head.content_type, body));
    BASCULE_ASSIGN(out.grams, grams_of(pushed, head.query));
    out.picture = std::move(pushed.picture);
    return std::pair(std::move(till), std::move(out));
  }();
  if (!shown) return done(till_failed(match, shown.error(), started));
  elsewhere(
      match, started,
      [self = shared_from_this(), match, started, once = std::move(once), shown = *shown](Done next) {
        const auto& [till, picture] = shown;
        till->add_frame(
            picture, once, now_s(),
            [self, match, started, next = std::move(next), till](Result<std::string> told) mutable {
              next(told ? basket_reply(*std::move(told), 200)
                        : self->till_failed(match, told.error(), started));
            });
      },
      std::move(done));
}

// What a basket's state forbids is a conflict, not a server that is not ready.
Reply Handlers::till_failed(const Match& match, const Error& error, TimePoint started) {
  Reply reply = fail(match, error, started);
  if (error.code == Code::kFailedPrecondition) reply.status = 409;
  return reply;
}

Result<std::shared_ptr<Till>> Handlers::till_of(const Match& match) const {
  if (options_.applications == nullptr) {
    return not_found(
        "This server has no applications; they stand under `applications:` in the file that --config names.");
  }
  return options_.applications->till(match.app);
}

}  // namespace bascule::http
