#include "backend/openvino/openvino_error.h"

#include <fmt/format.h>

#include "backend/model_file.h"
#include "backend/words.h"
#include "base/text.h"

namespace bascule::backend::openvino {
namespace {

// Nothing longer is worth reading.
constexpr std::size_t kMaxRead = 4096;

bool out_of_memory(std::string_view message) {
  return message.contains("bad_alloc") || message.contains("allocate memory") ||
         message.contains("out of memory");
}

// "Exception from src/…cpp:12:" and "Check 'condition' failed at src/…cpp:34:" stand on lines of their own.
bool is_place(std::string_view line) {
  if (line.starts_with("Exception from ")) return true;
  return line.starts_with("Check '") && line.contains("' failed at ");
}

// The kind of file, by its name, with its article.
std::string kind_of(const std::filesystem::path& file) {
  const std::string extension = text::to_lower(file.extension().string());
  if (extension == ".onnx") return "an ONNX model";
  if (extension == ".xml") return "an OpenVINO model";
  if (extension == ".tflite") return "a TensorFlow Lite model";
  if (extension == ".pdmodel") return "a Paddle model";
  return "a TensorFlow model";
}

}  // namespace

std::string plain_words(std::string_view message) {
  message = message.substr(0, kMaxRead);
  std::string out;
  while (!message.empty()) {
    const std::size_t end = std::min(message.find('\n'), message.size());
    std::string_view line = text::trimmed(message.substr(0, end));
    message.remove_prefix(std::min(end + 1, message.size()));
    if (is_place(line)) {
      // What it has to say may follow on the same line.
      const std::size_t place = line.find("cpp:");
      const std::size_t colon = place == line.npos ? line.npos : line.find(": ", place + 4);
      line = colon == line.npos ? std::string_view{} : line.substr(colon + 2);
    }
    if (line.empty()) continue;
    if (!out.empty()) out += ' ';
    out += line;
  }
  erase_folders(out);
  return as_sentence(out);
}

Error load_error(const std::filesystem::path& file, std::string_view message) {
  const std::string name = shown_name(file);
  if (out_of_memory(message)) {
    return invalid_argument(fmt::format("Model file '{}' does not fit into memory.", name));
  }
  if (message.contains("Unable to read the model") || message.contains("Cannot create") ||
      message.contains("Model file") || message.contains("Invalid model")) {
    return invalid_argument(
        fmt::format("Model file '{}' {}.", name, describe_unreadable(file, kind_of(file))));
  }
  std::string words = plain_words(message);
  return invalid_argument(fmt::format("Model file '{}' cannot be loaded: {}", name, words));
}

Error run_error(std::string_view message) {
  if (out_of_memory(message)) {
    return {.code = Code::kResourceExhausted,
            .message = "There is not enough memory to run the model on inputs of this size."};
  }
  const bool shape = message.contains("is not compatible with") || message.contains("shape");
  return invalid_argument("The model refused these inputs: " + plain_words(message),
                          shape ? Reason::kShapeMismatch : Reason::kNone);
}

}  // namespace bascule::backend::openvino
