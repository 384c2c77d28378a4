#include "backend/onnx_facts.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace bascule::backend {
namespace {

// Field numbers of onnx.proto.
constexpr std::uint32_t kGraphOfModel = 7;
constexpr std::uint32_t kMetadataOfModel = 14;
constexpr std::uint32_t kFunctionOfModel = 25;
constexpr std::uint32_t kNodeOfFunction = 7;
constexpr std::uint32_t kNodeOfGraph = 1;
constexpr std::uint32_t kTensorOfGraph = 5;
constexpr std::uint32_t kSparseOfGraph = 15;
constexpr std::uint32_t kAttributeOfNode = 5;
constexpr std::uint32_t kAttributeOfFunction = 11;
constexpr std::uint32_t kNameOfAttribute = 1;
constexpr std::uint32_t kTensorOfAttribute = 5;
constexpr std::uint32_t kGraphOfAttribute = 6;
constexpr std::uint32_t kIntsOfAttribute = 8;
constexpr std::uint32_t kStringsOfAttribute = 9;
constexpr std::uint32_t kTensorsOfAttribute = 10;
constexpr std::uint32_t kGraphsOfAttribute = 11;
constexpr std::uint32_t kSparseOfAttribute = 22;
constexpr std::uint32_t kSparsesOfAttribute = 23;
constexpr std::uint32_t kValuesOfSparse = 1;
constexpr std::uint32_t kIndicesOfSparse = 2;
constexpr std::uint32_t kExternalOfTensor = 13;
constexpr std::uint32_t kKeyOfEntry = 1;
constexpr std::uint32_t kValueOfEntry = 2;

constexpr std::uint64_t kMaxList = 4U << 20U;  // bytes of a list of classes
constexpr std::uint64_t kMaxText = 1U << 20U;  // bytes of one key or value
constexpr std::size_t kMaxLabels = 100'000;
constexpr std::size_t kMaxEntries = 10'000;  // of metadata, and of weight files
constexpr int kMaxDepth = 16;                // graphs within graphs

enum Wire : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// One field of a message in the wire format of protocol buffers.
struct Field {
  std::uint32_t number = 0;
  std::uint32_t wire = kVarint;
  std::uint64_t value = 0;  // of kVarint; of kBytes how many
};

// A file that knows where it is.
class File {
 public:
  explicit File(const std::filesystem::path& path) : in_(path, std::ios::binary) {}

  [[nodiscard]] std::uint64_t at() const { return place_; }

  void go_to(std::uint64_t place) {
    if (place == place_) return;
    in_.clear();
    in_.seekg(static_cast<std::streamoff>(place));
    place_ = place;
  }

  // The next field before `end`; of kBytes the content is next. Nothing at the end, or where it is broken.
  std::optional<Field> next(std::uint64_t end) {
    if (place_ >= end) return std::nullopt;
    const auto tag = varint();
    if (!tag || *tag > 0xFFFFFFFFU) return std::nullopt;
    Field field{.number = static_cast<std::uint32_t>(*tag >> 3U),
                .wire = static_cast<std::uint32_t>(*tag & 7U)};
    if (field.wire == kVarint || field.wire == kBytes) {
      const auto value = varint();
      if (!value) return std::nullopt;
      field.value = *value;
      const bool fits = field.wire == kVarint || (place_ <= end && field.value <= end - place_);
      return fits ? std::optional(field) : std::nullopt;
    }
    if (field.wire != kFixed32 && field.wire != kFixed64) return std::nullopt;
    go_to(place_ + (field.wire == kFixed32 ? 4 : 8));
    return field;
  }

  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const int byte = in_.get();
      if (!in_) return std::nullopt;
      ++place_;
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }

  std::optional<std::string> text(std::uint64_t size, std::uint64_t max) {
    if (size > max) return std::nullopt;
    std::string bytes(size, '\0');
    in_.read(bytes.data(), static_cast<std::streamsize>(size));
    if (!in_) return std::nullopt;
    place_ += size;
    return bytes;
  }

 private:
  std::ifstream in_;
  std::uint64_t place_ = 0;
};

class Walk {
 public:
  explicit Walk(const std::filesystem::path& file) : file_(file) {}

  OnnxFacts facts(std::uint64_t size) {
    out_.whole = true;
    each(size, [&](const Field& field, std::uint64_t end) {
      if (field.number == kGraphOfModel) graph(end, 0);
      if (field.number == kMetadataOfModel) metadata(end);
      if (field.number == kFunctionOfModel) function(end);
    });
    if (labels_differ_) out_.class_labels.clear();
    return std::move(out_);
  }

 private:
  // Calls `use(field, end)` for every field of a message that holds bytes, and passes over what it left.
  template <class Use>
  void each(std::uint64_t end, Use&& use) {
    while (file_.at() < end) {
      const auto field = file_.next(end);
      if (!field) {
        out_.whole = false;
        return;
      }
      if (field->wire != kBytes) continue;
      const std::uint64_t next = file_.at() + field->value;
      use(*field, next);
      file_.go_to(next);
    }
  }

  void graph(std::uint64_t end, int depth) {
    if (depth > kMaxDepth) {
      out_.whole = false;
      return;
    }
    each(end, [&](const Field& field, std::uint64_t next) {
      if (field.number == kNodeOfGraph) node(next, depth);
      if (field.number == kTensorOfGraph) tensor(next);
      if (field.number == kSparseOfGraph) sparse(next);
    });
  }

  void node(std::uint64_t end, int depth) {
    each(end, [&](const Field& field, std::uint64_t next) {
      if (field.number == kAttributeOfNode) attribute(next, depth);
    });
  }

  void function(std::uint64_t end) {
    each(end, [&](const Field& field, std::uint64_t next) {
      if (field.number == kNodeOfFunction) node(next, 0);
      if (field.number == kAttributeOfFunction) attribute(next, 0);
    });
  }

  void attribute(std::uint64_t end, int depth) {
    const std::uint64_t begin = file_.at();
    std::string name;
    each(end, [&](const Field& field, std::uint64_t next) {
      switch (field.number) {
        case kNameOfAttribute: name = file_.text(field.value, 64).value_or(""); break;
        case kTensorOfAttribute:
        case kTensorsOfAttribute: tensor(next); break;
        case kGraphOfAttribute:
        case kGraphsOfAttribute: graph(next, depth + 1); break;
        case kSparseOfAttribute:
        case kSparsesOfAttribute: sparse(next); break;
        default: break;
      }
    });
    const bool strings = name == "classlabels_strings";
    if (!strings && name != "classlabels_int64s" && name != "classlabels_ints") return;
    if (end - begin > kMaxList) return;
    file_.go_to(begin);
    std::vector<std::string> found = labels(end, strings);
    if (found.empty()) return;
    labels_differ_ = labels_differ_ || (!out_.class_labels.empty() && out_.class_labels != found);
    out_.class_labels = std::move(found);
  }

  // The list in an attribute, whose numbers are packed or not.
  std::vector<std::string> labels(std::uint64_t end, bool strings) {
    std::vector<std::string> out;
    const auto add = [&](std::uint64_t value) {
      out.push_back(std::to_string(static_cast<std::int64_t>(value)));
    };
    while (const auto field = file_.next(end)) {
      if (out.size() > kMaxLabels) return {};
      const std::uint64_t next = file_.at() + (field->wire == kBytes ? field->value : 0);
      if (!strings && field->number == kIntsOfAttribute && field->wire == kVarint) add(field->value);
      if (field->wire != kBytes) continue;
      if (strings && field->number == kStringsOfAttribute) {
        out.push_back(file_.text(field->value, kMaxList).value_or(""));
      }
      while (!strings && field->number == kIntsOfAttribute && file_.at() < next) {
        const auto value = file_.varint();
        if (!value) return {};
        add(*value);
      }
      file_.go_to(next);
    }
    return out;
  }

  void sparse(std::uint64_t end) {
    each(end, [&](const Field& field, std::uint64_t next) {
      if (field.number == kValuesOfSparse || field.number == kIndicesOfSparse) tensor(next);
    });
  }

  void tensor(std::uint64_t end) {
    each(end, [&](const Field& field, std::uint64_t next) {
      if (field.number != kExternalOfTensor) return;
      auto [key, value] = entry(next);
      if (key != "location" || std::ranges::find(out_.weight_files, value) != out_.weight_files.end()) return;
      if (out_.weight_files.size() < kMaxEntries) {
        out_.weight_files.push_back(std::move(value));
      } else {
        out_.whole = false;
      }
    });
  }

  void metadata(std::uint64_t end) {
    auto [key, value] = entry(end);
    if (out_.metadata.size() < kMaxEntries) out_.metadata.insert_or_assign(std::move(key), std::move(value));
  }

  std::pair<std::string, std::string> entry(std::uint64_t end) {
    std::pair<std::string, std::string> out;
    each(end, [&](const Field& field, std::uint64_t) {
      if (field.number != kKeyOfEntry && field.number != kValueOfEntry) return;
      auto text = file_.text(field.value, kMaxText);
      if (!text) out_.whole = false;
      (field.number == kKeyOfEntry ? out.first : out.second) = std::move(text).value_or("");
    });
    return out;
  }

  File file_;
  OnnxFacts out_;
  bool labels_differ_ = false;
};

}  // namespace

OnnxFacts read_onnx_facts(const std::filesystem::path& file) {
  std::error_code code;
  const auto size = std::filesystem::file_size(file, code);
  if (code) return {};
  return Walk(file).facts(size);
}

}  // namespace bascule::backend
