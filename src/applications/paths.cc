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

void Paths::pack(Packer& out) const {
  out.number(lines_.size());
  for (const Line& line : lines_) out.text(line.name);
  out.number(counted_.size());
  for (const std::uint64_t id : counted_) out.number(id);
  out.number(sides_.size());
  for (const auto& [id, sides] : sides_) {
    out.number(id);
    for (const Side& side : sides) {
      out.number(side.side);
      out.number(side.at.x);
      out.number(side.at.y);
      out.number(side.crossed.size());
      for (const Direction direction : side.crossed) out.number(static_cast<int>(direction));
    }
  }
}

void Paths::unpack(Unpacker& in) {
  std::vector<std::string> names;
  const std::size_t lines = in.count();
  for (std::size_t i = 0; i < lines && !in.failed(); ++i) names.push_back(in.text());
  const std::size_t counted = in.count();
  for (std::size_t i = 0; i < counted && !in.failed(); ++i) counted_.insert(in.number<std::uint64_t>());
  const std::size_t objects = in.count();
  for (std::size_t i = 0; i < objects && !in.failed(); ++i) {
    std::vector<Side>& sides = sides_[in.number<std::uint64_t>()];
    sides.resize(names.size());
    for (Side& side : sides) {
      side.side = in.number<int>();
      side.at.x = in.number<double>();
      side.at.y = in.number<double>();
      const std::size_t crossed = in.count();
      for (std::size_t j = 0; j < crossed && !in.failed(); ++j) {
        side.crossed.insert(static_cast<Direction>(in.number<int>() & 3));
      }
    }
  }
  if (!std::ranges::equal(names, lines_, {}, {}, &Line::name)) sides_.clear();
}

void Paths::keep(std::span<const std::uint64_t> track_ids) {
  const auto is_over = [track_ids](std::uint64_t id) { return !std::ranges::binary_search(track_ids, id); };
  std::erase_if(sides_, [&](const auto& entry) { return is_over(entry.first); });
  std::erase_if(counted_, is_over);
}

}  // namespace bascule::applications
