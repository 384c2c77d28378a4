#include "tasks/model_metadata.h"

#include <cstdint>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "tasks/python_literal.h"

namespace bascule::tasks {
namespace {

constexpr std::int64_t kMaxStride = 1024;
constexpr std::int64_t kMaxSide = 65'536;
constexpr std::int64_t kMaxClass = 1'000'000;
constexpr std::int64_t kMaxKeypoints = 1000;
constexpr std::size_t kMaxWord = 100;   // of a task, a head, a version
constexpr std::size_t kMaxName = 1000;  // of one class

using Pairs = std::map<std::string, std::string>;

// The readers of single entries; each leaves its part alone and notes a problem where an entry is no good.
class MetadataReader {
 public:
  explicit MetadataReader(const Pairs& pairs) : pairs_(pairs) {}

  ModelMetadata read() {
    out_.task = word("task");
    out_.head = word("head");
    out_.version = word("version");
    read_stride();
    read_picture_size();
    read_class_names();
    read_keypoints();
    if (const auto flag = literal("end2end")) out_.end2end = flag->truthy();
    if (const auto arguments = literal("args")) {
      const PythonValue* nms = arguments->find("nms");
      out_.embedded_nms = nms != nullptr && nms->truthy();
    }
    return std::move(out_);
  }

 private:
  [[nodiscard]] const std::string* entry(const std::string& key) const {
    const auto found = pairs_.find(key);
    return found == pairs_.end() ? nullptr : &found->second;
  }

  void problem(const std::string& key, std::string_view why) {
    out_.problems.push_back({.name = "ignored metadata",
                             .value = fmt::format("'{}' is not used: {}", key, why),
                             .origin = fmt::format("ONNX metadata '{}'", key)});
  }

  std::string word(const std::string& key) {
    const std::string* text = entry(key);
    if (text == nullptr) return {};
    if (text->size() <= kMaxWord) return text::escape_controls(*text);
    problem(key, fmt::format("it has {}, more than a word.", text::human_bytes(text->size())));
    return {};
  }

  std::optional<PythonValue> literal(const std::string& key) {
    const std::string* text = entry(key);
    if (text == nullptr) return std::nullopt;
    Result<PythonValue> read = parse_python_literal(*text);
    if (read) return *std::move(read);
    problem(key, read.error().message);
    return std::nullopt;
  }

  void read_stride() {
    const std::string* text = entry("stride");
    if (text == nullptr) return;
    const auto stride = text::parse_int(*text);
    if (stride && *stride >= 1 && *stride <= kMaxStride) {
      out_.stride = static_cast<int>(*stride);
    } else {
      problem("stride", fmt::format("'{}' is no number from 1 to {}.",
                                    text::escape_controls(text::shortened(*text)), kMaxStride));
    }
  }

  void read_picture_size() {
    const auto value = literal("imgsz");
    if (!value) return;
    const auto side = [](const PythonValue& from) {
      const auto number = from.integer();
      return number && *number >= 1 && *number <= kMaxSide ? static_cast<int>(*number) : 0;
    };
    content::PictureSize size{.height = side(*value), .width = side(*value)};
    if (const auto* list = value->list(); list != nullptr && (list->size() == 1 || list->size() == 2)) {
      size = {.height = side(list->front()), .width = side(list->back())};
    }
    if (size.height > 0 && size.width > 0) {
      out_.picture_size = size;
    } else {
      problem("imgsz", fmt::format("it is no size, or a side is not from 1 to {}.", kMaxSide));
    }
  }

  void read_class_names() {
    const auto value = literal("names");
    if (!value) return;
    bool understood = value->dict() != nullptr || value->list() != nullptr;
    if (const auto* list = value->list()) {
      for (std::size_t i = 0; i < list->size(); ++i) {
        understood = add_class(static_cast<std::int64_t>(i), (*list)[i]) && understood;
      }
    }
    if (const auto* dict = value->dict()) {
      for (const PythonEntry& named : *dict) {
        const auto number = named.key.integer();
        understood = number && add_class(*number, named.value) && understood;
      }
    }
    if (!understood) {
      out_.class_names.clear();
      problem("names", "it is no list of class names with numbers from 0 up.");
    }
  }

  void read_keypoints() {
    const auto value = literal("kpt_shape");
    if (!value) return;
    const auto* list = value->list();
    const auto number = [&](std::size_t at) { return list->at(at).integer().value_or(0); };
    if (list != nullptr && list->size() == 2 && number(0) >= 1 && number(0) <= kMaxKeypoints &&
        (number(1) == 2 || number(1) == 3)) {
      out_.keypoints = {.count = static_cast<int>(number(0)), .numbers = static_cast<int>(number(1))};
    } else {
      problem("kpt_shape",
              fmt::format("it is no pair of 1 to {} keypoints and 2 or 3 numbers for each.", kMaxKeypoints));
    }
  }

  bool add_class(std::int64_t number, const PythonValue& name) {
    if (number < 0 || number >= kMaxClass) return false;
    std::string text;
    if (name.text() != nullptr && name.text()->size() <= kMaxName) {
      text = *name.text();
    } else if (const auto digits = name.integer()) {
      text = std::to_string(*digits);
    } else {
      return false;
    }
    out_.class_names[static_cast<int>(number)] = std::move(text);
    return true;
  }

  const Pairs& pairs_;
  ModelMetadata out_;
};

}  // namespace

ModelMetadata read_model_metadata(const std::map<std::string, std::string>& pairs) {
  return MetadataReader(pairs).read();
}

}  // namespace bascule::tasks
