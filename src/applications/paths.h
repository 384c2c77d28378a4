#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "applications/geometry.h"
#include "applications/packing.h"
#include "applications/scene.h"
#include "content/picture.h"

namespace bascule::applications {

// Where tracked objects came from, as far as lines want to know.
// Thread-safety: external (one thread).
class Paths {
 public:
  explicit Paths(std::vector<Line> lines) : lines_(std::move(lines)) {}

  // An object is at a place now. Appends the lines that it has crossed since it was last seen clear of them;
  // not before it is `confirmed`, and each line once in a direction. `name` is its class.
  void move(std::uint64_t track_id, bool confirmed, Place at, const std::string& name,
            content::PictureSize picture, std::vector<Crossing>& out);

  // Whether an object that is confirmed is asked about for the first time.
  bool is_new(std::uint64_t track_id) { return counted_.insert(track_id).second; }

  // What it knows, as bytes and back. Lines that are not called as they were then are begun anew.
  void pack(Packer& out) const;
  void unpack(Unpacker& in);

  // Forgets all but these objects, which are sorted.
  void keep(std::span<const std::uint64_t> track_ids);

 private:
  // Of one object and one line.
  struct Side {
    int side = 0;  // 0: not known yet
    Place at;      // where it was seen on that side last
    std::set<Direction> crossed;
  };

  std::vector<Line> lines_;
  std::map<std::uint64_t, std::vector<Side>> sides_;  // one for each line
  std::set<std::uint64_t> counted_;
};

}  // namespace bascule::applications
