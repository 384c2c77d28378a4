#include "base/back_off.h"

#include <algorithm>

namespace bascule {

BackOff::BackOff(const BackOffOptions& options) : options_(options), random_(options.seed) {}

Duration BackOff::next(std::optional<Duration> asked) {
  constexpr std::uint32_t kDoublings = 30;  // beyond any `longest` that makes sense
  Duration whole = options_.first;
  for (std::uint32_t i = 0; i < std::min(failures_, kDoublings) && whole < options_.longest; ++i) whole *= 2;
  whole = std::min(whole, options_.longest);
  failures_ = failures_ < kDoublings ? failures_ + 1 : failures_;
  const double part = std::uniform_real_distribution<double>(0.5, 1.0)(random_);
  const auto wait = Duration(static_cast<Duration::rep>(static_cast<double>(whole.count()) * part));
  if (!asked) return wait;
  return std::max(wait, std::min(*asked, options_.longest_asked));
}

}  // namespace bascule
