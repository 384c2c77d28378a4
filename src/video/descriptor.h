#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "base/result.h"

namespace bascule::video {

// Owns a file descriptor.
// Thread-safety: external (one owner).
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    close();
    number_ = std::exchange(other.number_, -1);
    return *this;
  }
  ~Descriptor() { close(); }

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool open() const { return number_ >= 0; }
  void close();

 private:
  int number_ = -1;
};

// A file without a name that holds these bytes and can no longer be changed, for a program that must seek in
// them. Errors: kUnavailable where there is no memory for it.
Result<Descriptor> sealed_copy(std::span<const std::byte> bytes);

// A regular file, to be read. Errors: kNotFound, kInvalidArgument for what is none.
Result<Descriptor> open_file(const std::string& path);

}  // namespace bascule::video
