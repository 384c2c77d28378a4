#include "applications/paths.h"

#include <algorithm>

namespace bascule::applications {

void Paths::move(std::uint64_t track_id, bool confirmed, Place at, const std::string& name,
                 content::PictureSize picture, std::vector<Crossing>& out) {
  std::vector<Side>& sides = sides_[track_id];
  sides.resize(lines_.size());
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const int now = side_of(lines_[i], at, picture);
    if (now == 0) continue;
    Side& side = sides[i];
    const bool other_side = side.side != 0 && side.side != now;
    // Until it is known to be one, it stays where it was first seen.
    if (other_side && !confirmed) continue;
    if (other_side) {
      const auto direction = crossing(lines_[i], side.at, at, picture);
      if (direction && side.crossed.insert(*direction).second) {
        out.push_back({.line = lines_[i].name,
                       .direction = std::string(to_string(*direction)),
                       .name = name,
                       .track_id = track_id});
      }
    }
    side.side = now;
    side.at = at;
  }
}

void Paths::keep(std::span<const std::uint64_t> track_ids) {
  const auto is_over = [track_ids](std::uint64_t id) { return !std::ranges::binary_search(track_ids, id); };
  std::erase_if(sides_, [&](const auto& entry) { return is_over(entry.first); });
  std::erase_if(counted_, is_over);
}

}  // namespace bascule::applications
