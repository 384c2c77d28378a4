#include "backend/onnxruntime/class_labels.h"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

namespace bascule::backend::ort {
namespace {

// Field numbers of onnx.proto on the way to an attribute.
constexpr std::uint32_t kGraphOfModel = 7;
constexpr std::uint32_t kNodeOfGraph = 1;
constexpr std::uint32_t kAttributeOfNode = 5;
constexpr std::uint32_t kNameOfAttribute = 1;
constexpr std::uint32_t kIntsOfAttribute = 8;
constexpr std::uint32_t kStringsOfAttribute = 9;

constexpr std::uint64_t kMaxAttribute = 4U << 20U;  // bytes; a list of classes is shorter
constexpr std::size_t kMaxLabels = 100'000;

enum Wire : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// One field of a message in the wire format of protocol buffers.
struct Field {
  std::uint32_t number = 0;
  std::uint32_t wire = kVarint;
  std::uint64_t value = 0;  // of kVarint; of kBytes how many
};

// Reads fields from a place that gives bytes one by one, skips, and knows where it is.
template <class Source>
class Reader {
 public:
  explicit Reader(Source& source) : source_(source) {}

  // The next field before `end`; of kBytes the content is next. Nothing at the end, or where it is broken.
  std::optional<Field> next(std::uint64_t end) {
    if (source_.at() >= end) return std::nullopt;
    const auto tag = varint();
    if (!tag || *tag > 0xFFFFFFFFU) return std::nullopt;
    Field field{.number = static_cast<std::uint32_t>(*tag >> 3U),
                .wire = static_cast<std::uint32_t>(*tag & 7U)};
    if (field.wire == kVarint || field.wire == kBytes) {
      const auto value = varint();
      if (!value) return std::nullopt;
      field.value = *value;
      if (field.wire == kBytes && (source_.at() > end || field.value > end - source_.at()))
        return std::nullopt;
      return field;
    }
    if (field.wire != kFixed32 && field.wire != kFixed64) return std::nullopt;
    source_.skip(field.wire == kFixed32 ? 4 : 8);
    return field;
  }

 private:
  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const int byte = source_.get();
      if (byte < 0) return std::nullopt;
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }

  Source& source_;
};

struct File {
  explicit File(const std::filesystem::path& path) : in(path, std::ios::binary) {}
  [[nodiscard]] std::uint64_t at() const { return place; }
  int get() {
    const int byte = in.get();
    ++place;
    return in ? byte : -1;
  }
  void skip(std::uint64_t bytes) {
    in.seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
    place += bytes;
  }
  std::ifstream in;
  std::uint64_t place = 0;
};

struct Text {
  explicit Text(std::string_view bytes) : text(bytes) {}
  [[nodiscard]] std::uint64_t at() const { return place; }
  int get() { return place < text.size() ? static_cast<unsigned char>(text[place++]) : -1; }
  void skip(std::uint64_t bytes) { place += bytes; }
  std::string_view text;
  std::size_t place = 0;
};

// The list in an attribute; empty where it is another one.
std::vector<std::string> labels_of(std::string_view attribute) {
  std::string_view name;
  std::vector<std::string> numbers;
  std::vector<std::string> strings;
  Text source(attribute);
  Reader reader(source);
  while (const auto field = reader.next(attribute.size())) {
    if (numbers.size() > kMaxLabels || strings.size() > kMaxLabels) return {};
    const auto add = [&](std::uint64_t value) {
      numbers.push_back(std::to_string(static_cast<std::int64_t>(value)));
    };
    if (field->wire == kVarint && field->number == kIntsOfAttribute) add(field->value);
    if (field->wire != kBytes) continue;
    const std::string_view content = attribute.substr(source.place, field->value);
    if (field->number == kNameOfAttribute) name = content;
    if (field->number == kStringsOfAttribute) strings.emplace_back(content);
    if (field->number == kIntsOfAttribute) {  // packed
      std::uint64_t value = 0;
      unsigned shift = 0;
      for (const char c : content) {
        const auto byte = static_cast<unsigned char>(c);
        if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
        shift += 7;
        if ((byte & 0x80U) != 0) continue;
        add(std::exchange(value, 0));
        shift = 0;
      }
    }
    source.skip(field->value);
  }
  if (name == "classlabels_strings") return strings;
  if (name == "classlabels_int64s" || name == "classlabels_ints") return numbers;
  return {};
}

// Walks down to the attributes of all nodes.
class Walk {
 public:
  explicit Walk(const std::filesystem::path& file) : source_(file), reader_(source_) {}

  std::vector<std::string> labels(std::uint64_t size) {
    message(size, kGraphOfModel, 0);
    return several_ ? std::vector<std::string>{} : std::move(found_);
  }

 private:
  void message(std::uint64_t end, std::uint32_t wanted, int depth) {
    while (const auto field = reader_.next(end)) {
      if (field->wire != kBytes) continue;
      const std::uint64_t next = source_.at() + field->value;
      if (field->number != wanted) {
        source_.skip(field->value);
      } else if (depth == 0) {
        message(next, kNodeOfGraph, 1);
      } else if (depth == 1) {
        message(next, kAttributeOfNode, 2);
      } else {
        attribute(field->value);
      }
      if (source_.at() != next) return;  // broken further down
    }
  }

  void attribute(std::uint64_t size) {
    if (size > kMaxAttribute) return source_.skip(size);
    std::string bytes(size, '\0');
    source_.in.read(bytes.data(), static_cast<std::streamsize>(size));
    if (!source_.in) return;
    source_.place += size;
    std::vector<std::string> labels = labels_of(bytes);
    if (labels.empty()) return;
    several_ = several_ || (!found_.empty() && found_ != labels);
    found_ = std::move(labels);
  }

  File source_;
  Reader<File> reader_;
  std::vector<std::string> found_;
  bool several_ = false;
};

}  // namespace

std::vector<std::string> read_class_labels(const std::filesystem::path& file) {
  std::error_code code;
  const std::uintmax_t size = std::filesystem::file_size(file, code);
  if (code) return {};
  return Walk(file).labels(size);
}

}  // namespace bascule::backend::ort
