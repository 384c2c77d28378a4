#include "applications/checkout/till.h"

#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "base/log.h"

namespace bascule::applications::checkout {
namespace {

constexpr std::uint64_t kMostBytes = 16 << 20;  // of a price list

}  // namespace

Result<std::unique_ptr<Till>> Till::open(Options options, Look look) {
  BASCULE_ASSIGN(auto store, BasketStore::open(options.store, options.till));
  auto till = std::make_unique<Till>(std::move(options), std::move(look), std::move(store));
  BASCULE_ASSIGN(PriceList list, till->read_prices());
  till->prices_.with([&](Prices& prices) {
    prices.state.prices = list.by_class.size();
    prices.list = std::make_shared<const PriceList>(std::move(list));
  });
  return till;
}

Result<std::string> Till::begin(const Once& once, std::int64_t now_s) { return store_->create(once, now_s); }

void Till::add_frame(Shown shown, Once once, std::int64_t now_s, Done done) {
  if (const auto found = store_->find(shown.basket); !found)
    return done(found.error());  // before the model is asked
  look_(std::move(shown.picture), [this, basket = shown.basket, grams = shown.grams, once = std::move(once),
                                   now_s, done = std::move(done)](Result<std::vector<Seen>> seen) mutable {
    if (!seen) return done(std::move(seen).error());
    done(store_->change(basket, once, now_s, [&](Basket& one) {
      return add_seen(one, *seen, grams, *prices(), options_.till, options_.ask_below);
    }));
  });
}

Result<std::string> Till::add_line(std::int64_t basket, const Said& said, const Once& once,
                                   std::int64_t now_s) {
  return store_->change(basket, once, now_s,
                        [&](Basket& one) { return add_said(one, said, *prices(), options_.till); });
}

Result<std::string> Till::answer_line(std::int64_t basket, std::int64_t line, const Said& said,
                                      const Once& once, std::int64_t now_s) {
  return store_->change(basket, once, now_s,
                        [&](Basket& one) { return answer(one, line, said, *prices(), options_.till); });
}

Result<std::string> Till::remove(std::int64_t basket, std::int64_t line, const Once& once,
                                 std::int64_t now_s) {
  return store_->change(basket, once, now_s, [&](Basket& one) { return remove_line(one, line); });
}

Result<std::string> Till::close_basket(std::int64_t basket, const Once& once, std::int64_t now_s) {
  return store_->change(basket, once, now_s, [](Basket& one) { return close(one); });
}

Result<std::string> Till::show(std::int64_t basket) {
  BASCULE_ASSIGN(const Basket found, store_->find(basket));
  return basket_json(found, options_.till);
}

Result<std::string> Till::receipt(std::int64_t basket) {
  BASCULE_ASSIGN(const Basket found, store_->find(basket));
  return receipt_text(found, options_.till, options_.receipt_head);
}

Result<std::string> Till::count(const Seen& seen, std::string_view key, std::int64_t now_s) {
  auto told = store_->change_current({.key = std::string(key), .request = "belt"}, now_s, [&](Basket& one) {
    return add_seen(one, {seen}, std::nullopt, *prices(), options_.till, options_.ask_below);
  });
  if (told) prices_.with([](Prices& prices) { ++prices.state.counted; });
  return told;
}

Result<std::string> Till::count_all(const std::vector<Seen>& seen, std::string_view key, std::int64_t now_s) {
  auto told = store_->create({.key = std::string(key), .request = "picture"}, now_s, [&](Basket& one) {
    return add_seen(one, seen, std::nullopt, *prices(), options_.till, options_.ask_below);
  });
  if (told) prices_.with([&](Prices& prices) { prices.state.counted += seen.size(); });
  return told;
}

void Till::reload_prices() {
  auto list = read_prices();
  if (!list) {
    log::warning("The price list stays as it was: {}", list.error().message);
    prices_.with([&](Prices& prices) {
      prices.state.prices_error = list.error().message;
      ++prices.state.refused;
    });
    return;
  }
  const std::size_t count = list->by_class.size();
  prices_.with([&](Prices& prices) {
    prices.list = std::make_shared<const PriceList>(*std::move(list));
    prices.state.prices = count;
    prices.state.prices_error.clear();
    ++prices.state.reloads;
  });
  log::info("The price list '{}' is in force, with {} prices.", options_.prices.string(), count);
}

TillState Till::state() const {
  return prices_.with([](const Prices& prices) { return prices.state; });
}

Result<PriceList> Till::read_prices() const {
  BASCULE_ASSIGN(const auto bytes, read_file(options_.prices, kMostBytes));
  return read_price_list({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, options_.till,
                         options_.prices.filename().string());
}

std::shared_ptr<const PriceList> Till::prices() const {
  return prices_.with([](const Prices& prices) { return prices.list; });
}

}  // namespace bascule::applications::checkout
