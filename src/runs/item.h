#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "content/picture.h"

namespace bascule::runs {

// How an input stands where it was found.
enum class Form : std::uint8_t {
  kPicture,   // a picture's file; its path is the key. Or a frame of a video
  kJson,      // a line of JSON
  kCsv,       // a record of CSV
  kSentence,  // a line of text
};

// One input. Thread-safety: a value.
struct Item {
  std::string key;    // the same in every run: a path, or "wines.csv:2" for a file and its line, or frame
  std::string text;   // as it stands there, without its line's end; empty for a picture
  std::string fault;  // why it cannot be read at all; empty: it can
  content::EncodedPicture frame = {};  // of a video; without bytes for all else
};

// How far a run has come.
// Thread-safety: a value.
struct Position {
  std::uint64_t inputs = 0;           // of all shards
  std::uint64_t chain = kChainStart;  // over those inputs: tells another row of them
  static constexpr std::uint64_t kChainStart = 0xcbf29ce484222325ULL;
  bool operator==(const Position&) const = default;
};

// FNV-1a over what came before and `bytes`: not for keeping anybody out, but to see that inputs are others
// than they were. Source: draft-eastlake-fnv.
[[nodiscard]] inline std::uint64_t chained(std::uint64_t chain, std::string_view bytes) {
  for (const char c : bytes) chain = (chain ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return (chain ^ 0xffU) * 0x100000001b3ULL;
}

// What is asked at once: a picture, or some hundred rows of one file.
// Thread-safety: a value; one owner at a time.
struct Unit {
  Form form = Form::kPicture;
  std::shared_ptr<const std::string> header;  // of kCsv
  std::vector<Item> items;
  Position after;     // where the run is once this is done
  double share = -1;  // of all inputs, 0 to 1, that is behind it; below 0: not known
};

// What is said of one input.
// Thread-safety: a value.
struct Outcome {
  std::string key;
  std::string id;      // as the input has it, JSON; empty: it has none
  std::string answer;  // members of a JSON object, without its braces; empty where there is an error
  Error error = {};
  bool good = false;
};

}  // namespace bascule::runs
