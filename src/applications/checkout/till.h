#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "applications/checkout/basket.h"
#include "applications/checkout/basket_store.h"
#include "applications/checkout/price_list.h"
#include "base/mutex.h"
#include "base/result.h"
#include "content/picture.h"

namespace bascule::applications::checkout {

// How a till does. Thread-safety: a value.
struct TillState {
  std::size_t prices = 0;     // in the list that is in force
  std::string prices_error;   // why a later list is not; empty: it is
  std::uint64_t reloads = 0;  // lists taken since the start
  std::uint64_t refused = 0;  // lists refused since the start
  std::uint64_t counted = 0;  // items of a belt, since the start
};

// A till: a price list, baskets, and a model that tells what lies there.
// Thread-safety: thread-safe.
class Till {
 public:
  using Done = std::move_only_function<void(Result<std::string> basket)>;
  // What a model sees on a picture; answers once, on any thread. Errors: of InferenceService::infer.
  using Looked = std::move_only_function<void(Result<std::vector<Seen>> seen)>;
  using Look = std::function<void(content::EncodedPicture picture, Looked looked)>;

  struct Options {
    TillOptions till;
    std::filesystem::path prices;  // CSV
    std::filesystem::path store;   // the file of the baskets
    double ask_below = 0.6;        // confidence below which a person is asked
    std::string receipt_head;      // above each receipt
  };
  // Errors: of read_price_list, BasketStore::open; kNotFound where there is no price list.
  static Result<std::unique_ptr<Till>> open(Options options, Look look);

  Till(Options options, Look look, std::unique_ptr<BasketStore> store)
      : options_(std::move(options)), look_(std::move(look)), store_(std::move(store)) {}

  // All that follow give the basket as JSON. `now_s`: Unix time. Errors: of BasketStore and of basket.h.
  Result<std::string> begin(const Once& once, std::int64_t now_s);
  // A picture for a basket. `grams`: what the scale says of what lies there.
  struct Shown {
    std::int64_t basket = 0;
    content::EncodedPicture picture;
    std::optional<std::int64_t> grams;
  };
  // Adds what it shows; `done` is called once, as Looked is. Errors: also of the model.
  void add_frame(Shown shown, Once once, std::int64_t now_s, Done done);
  Result<std::string> add_line(std::int64_t basket, const Said& said, const Once& once, std::int64_t now_s);
  Result<std::string> answer_line(std::int64_t basket, std::int64_t line, const Said& said, const Once& once,
                                  std::int64_t now_s);
  Result<std::string> remove(std::int64_t basket, std::int64_t line, const Once& once, std::int64_t now_s);
  Result<std::string> close_basket(std::int64_t basket, const Once& once, std::int64_t now_s);
  Result<std::string> show(std::int64_t basket);
  Result<std::string> receipt(std::int64_t basket);

  // One item has come over the belt: into the open basket, or a new one. `key`: the same for the same item,
  // so that it is counted once.
  Result<std::string> count(const Seen& seen, std::string_view key, std::int64_t now_s);
  // One picture is one basket: a new one, with all that it shows. `key`: as above, of the picture.
  Result<std::string> count_all(const std::vector<Seen>& seen, std::string_view key, std::int64_t now_s);

  // Reads the price list again. A list that cannot be read leaves the one before in force, and says why in
  // the state and the log. Lines that are there keep their prices.
  void reload_prices();
  [[nodiscard]] TillState state() const;

 private:
  struct Prices {
    std::shared_ptr<const PriceList> list;
    TillState state;
  };
  Result<PriceList> read_prices() const;
  [[nodiscard]] std::shared_ptr<const PriceList> prices() const;

  const Options options_;
  const Look look_;
  const std::unique_ptr<BasketStore> store_;
  Guarded<Prices> prices_;
};

}  // namespace bascule::applications::checkout
