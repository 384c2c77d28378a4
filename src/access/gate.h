#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/bucket.h"
#include "access/key.h"
#include "access/route_class.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"

namespace bascule::access {

// Who asks, as far as it is known before anything else of the request is looked at.
// Thread-safety: immutable.
struct Caller {
  bool loopback = true;      // the listener can be reached from this machine alone
  std::string_view listens;  // on which address, for messages
  bool unsafe = false;       // the method may change something, whatever the route (RFC 9110, 9.2.1)
  std::string_view origin;   // of the page that a browser asks for; empty where none is said
  std::string_view host;     // that the request named
  std::string_view key;      // that was sent; empty: none
  bool charged = true;       // counts against the key's rate now; else `charge` is called later
};

// A key in use. Thread-safety: thread-safe.
struct Key {
  explicit Key(KeyEntry of) : entry(std::move(of)), bucket(entry.requests_per_second) {}
  const KeyEntry entry;
  Bucket bucket;
  std::atomic<bool> withdrawn = false;
};
using KeyPtr = std::shared_ptr<Key>;

// Thread-safety: a value.
struct Decision {
  std::optional<Error> refusal;  // nothing: allowed
  KeyPtr key;                    // whose; null: none was needed, or it is not known
  [[nodiscard]] std::string_view name() const {
    return key == nullptr ? std::string_view{} : key->entry.name;
  }
};

struct GateOptions {
  // Whose pages may ask as the server's own may: "https://shop.example". "*": everyone's, but not for
  // what administers the server.
  std::vector<std::string> origins;
};

// Decides, for every front end alike and before anything is routed, whether a caller may ask for a route of
// some class.
// Thread-safety: thread-safe.
class Gate {
 public:
  explicit Gate(const Clock& clock, GateOptions options = {}) : clock_(clock), options_(std::move(options)) {}

  // From now on a caller needs one of these. A key that was there before, with the same role and rate, goes
  // on with its rate; one that is gone is refused in calls that go on, too.
  void set_keys(const std::vector<KeyEntry>& entries);
  [[nodiscard]] bool wants_keys() const { return keyed_; }

  // Refusals: kForbidden for an unsafe call at the request of a foreign web page, or a key whose role is too
  // small; kUnauthenticated without a known key where one is needed; kRateExceeded with a time.
  [[nodiscard]] Decision admit(RouteClass wanted, const Caller& caller) const;
  // Of each further request of a call that was admitted.
  [[nodiscard]] std::optional<Error> charge(const KeyPtr& key) const;

  // What Access-Control-Allow-Origin says to a page of `origin`; empty: nothing.
  [[nodiscard]] std::string_view shared_with(std::string_view origin) const;

 private:
  using Keys = std::vector<KeyPtr>;
  [[nodiscard]] std::optional<Error> check_origin(RouteClass wanted, const Caller& caller) const;
  [[nodiscard]] KeyPtr find(std::string_view key) const;

  const Clock& clock_;
  const GateOptions options_;
  std::atomic<bool> keyed_ = false;
  Guarded<std::shared_ptr<const Keys>> keys_;
};

}  // namespace bascule::access
