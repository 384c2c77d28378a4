#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace bascule::applications {

// Writes numbers and texts one behind the other, for an Unpacker that asks for the same ones. Numbers come
// back as they were, bit by bit. Thread-safety: external (one thread).
class Packer {
 public:
  template <class T>
  void number(T value) {
    std::array<char, 64> text;
    const auto [end, code] = std::to_chars(text.data(), text.data() + text.size(), value);
    out_.append(text.data(), end);
    out_ += ' ';
  }
  void flag(bool value) { number(value ? 1 : 0); }
  void text(std::string_view value) {
    number(value.size());
    out_ += value;
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reads what a Packer wrote. After the first thing that is not what was asked for, everything is 0 or empty,
// and failed() holds. Thread-safety: external (one thread).
class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T number() {
    T value{};
    const char* const begin = rest_.data();
    const char* const end = begin + rest_.size();
    const auto [at, code] = std::from_chars(begin, end, value);
    if (failed_ || code != std::errc() || at == end || *at != ' ') {
      failed_ = true;
      return T{};
    }
    rest_.remove_prefix(static_cast<std::size_t>(at - begin) + 1);
    return value;
  }
  bool flag() { return number<int>() != 0; }
  std::string text() {
    const std::size_t size = count();
    const std::string out(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return out;
  }
  // How many things follow, each of one byte at least.
  std::size_t count() {
    const auto value = number<std::size_t>();
    if (value <= rest_.size()) return value;
    failed_ = true;
    return 0;
  }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace bascule::applications
