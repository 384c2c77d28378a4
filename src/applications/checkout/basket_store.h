#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "applications/checkout/basket.h"
#include "applications/checkout/price_list.h"
#include "base/mutex.h"
#include "base/result.h"
#include "journal/database.h"

namespace bascule::applications::checkout {

// A change that is made once, however often it is asked for. Thread-safety: a value.
struct Once {
  std::string key;      // of the caller's choice, at most kMostKey bytes; empty: each time it is asked for
  std::string request;  // what is asked, whole: the same key with another request is refused
};

// A till's baskets, in a file: what was answered is there after a power cut, and what was not answered is
// there whole or not at all.
// Thread-safety: thread-safe.
class BasketStore {
 public:
  static constexpr std::size_t kMostKey = 200;
  static constexpr std::int64_t kKeysKeptS = std::int64_t{7} * 24 * 3600;  // after that a key is as new
  using Change = std::function<Result<void>(Basket&)>;

  // `database`: one that open() has looked at.
  BasketStore(journal::Database database, TillOptions till)
      : till_(std::move(till)), database_(std::move(database)) {}

  // Errors: of journal::Database; kFailedPrecondition for a file of a later version.
  static Result<std::unique_ptr<BasketStore>> open(const std::filesystem::path& file,
                                                   const TillOptions& till);

  // A new basket, with `change` made to it where there is one; all three give the basket as JSON (basket.h).
  // `now_s`: Unix time.
  // Errors: of journal::Database; kFailedPrecondition where `once.key` came with another request;
  // kInvalidArgument for a key that is too long.
  Result<std::string> create(const Once& once, std::int64_t now_s, const Change& change = nullptr);
  // Errors: as create; of `change`; kNotFound where there is no such basket. After an error nothing has
  // changed, and the key is as new.
  Result<std::string> change(std::int64_t number, const Once& once, std::int64_t now_s, const Change& change);
  // As change, of the open basket that was begun last, or of a new one.
  Result<std::string> change_current(const Once& once, std::int64_t now_s, const Change& change);

  // Errors: of journal::Database; kNotFound.
  Result<Basket> find(std::int64_t number);

 private:
  const TillOptions till_;
  Mutex mutex_;
  journal::Database database_ BASCULE_GUARDED_BY(mutex_);
};

}  // namespace bascule::applications::checkout
