#include "backend/onnxruntime/ort_error.h"

#include <cctype>

#include <fmt/format.h>

#include "backend/model_file.h"
#include "backend/words.h"
#include "base/text.h"

namespace bascule::backend::ort {
namespace {

// Nothing longer is worth reading.
constexpr std::size_t kMaxRead = 4096;

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

// What stands between the first `before` and the next `after`; empty where there is no such place.
std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const std::size_t start = text.find(before);
  if (start == text.npos) return {};
  const std::string_view rest = text.substr(start + before.size());
  return rest.substr(0, rest.find(after));
}

// Removes "FROM … TO" wherever it stands.
void erase_spans(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at)) {
    const std::size_t end = text.find(to, at + from.size());
    if (end == text.npos) return;
    text.erase(at, end + to.size() - at);
  }
}

// The position behind the bracket that closes the one at `open`, or npos.
std::size_t behind_bracket(std::string_view text, std::size_t open) {
  const char opening = text[open];
  const char closing = opening == '(' ? ')' : ']';
  int depth = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (text[i] == opening) ++depth;
    if (text[i] == closing && --depth == 0) return i + 1;
  }
  return text.npos;
}

// Where the text goes on behind "Function " or "type ns::function(arguments) const [with T = type] ".
std::size_t behind_signature(std::string_view text, std::size_t from) {
  const std::string_view first = text.substr(from, text.find(' ', from) - from);
  if (!first.empty() && std::isupper(static_cast<unsigned char>(first.front())) != 0 &&
      first.find_first_of("(:") == first.npos) {
    return from + first.size();
  }
  const std::size_t open = text.find('(', from);
  if (open == text.npos || !contains(text.substr(from, open - from), "::")) return from;
  std::size_t at = behind_bracket(text, open);
  if (at == text.npos) return from;
  if (text.substr(at).starts_with(" const")) at += 6;
  if (text.substr(at).starts_with(" [with ")) at = behind_bracket(text, at + 1);
  return at == text.npos ? from : at;
}

// Removes "dir/file.cc:123 signature" wherever it stands.
void erase_source_places(std::string& text) {
  for (const std::string_view suffix : {".cc:", ".h:", ".cpp:"}) {
    for (std::size_t at = text.find(suffix); at != text.npos; at = text.find(suffix, at)) {
      std::size_t end = at + suffix.size();
      const std::size_t digits = end;
      while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
      if (end == digits || end == text.size() || text[end] != ' ') {
        at = digits;
        continue;
      }
      end = behind_signature(text, end + 1);
      // The name itself reaches back to a space, or to the colon that some messages put before it.
      std::size_t begin = text.find_last_of(" :", at);
      begin = begin == text.npos ? 0 : begin + 1;
      text.erase(begin, end - begin);
      at = begin;
    }
  }
}

// A file's name inside a message, without its folder.
std::string file_name(std::string_view path) {
  return text::shortened(path.substr(path.find_last_of('/') + 1));
}

std::string load_cause(const std::filesystem::path& file, OrtErrorCode code, std::string_view message) {
  if (code == ORT_INVALID_PROTOBUF || contains(message, "Protobuf parsing failed")) {
    return describe_unreadable(file, "an ONNX model");
  }
  if (contains(message, "No graph was found")) return "is not an ONNX model: it holds no graph";
  if (const auto version = between(message, "Unsupported model IR version: ", ","); !version.empty()) {
    return fmt::format(
        "is written in ONNX IR version {}; this engine reads up to {}, so export it for that one", version,
        between(message, "max supported IR version: ", " "));
  }
  if (const auto op = between(message, "No Op registered for ", " "); !op.empty()) {
    return fmt::format("uses the operator '{}' of opset {}, which this engine does not know",
                       text::shortened(op), between(message, "domain_version of ", " "));
  }
  if (const auto op = between(message, "Fatal error: ", "("); !op.empty()) {
    return fmt::format("uses the operator '{}', which this engine does not know", text::shortened(op));
  }
  if (contains(message, "Absolute path not allowed")) {
    return "keeps weights under an absolute path; only files in the model's own folder are read";
  }
  if (contains(message, "escapes model directory") || contains(message, "points outside the directory")) {
    return "keeps weights outside its own folder; only files in that folder are read";
  }
  if (const auto path = between(message, "External data path does not exist: \"", "\""); !path.empty()) {
    return fmt::format("needs its weights in '{}' beside it, and that file is missing", file_name(path));
  }
  if (contains(message, "Failed to allocate memory")) return "does not fit into memory";
  constexpr std::string_view kLocale = "Failed to construct locale with name:";
  if (const std::size_t at = message.find(kLocale); at != message.npos) {
    const std::string_view rest = message.substr(at + kLocale.size());
    const std::string locale = text::shortened(rest.substr(0, rest.find(':')), 40);
    return fmt::format(
        "works in the locale '{}', which this machine lacks; install it (the package locales-all has every "
        "one), or "
        "export the model with the locale 'C'",
        locale);
  }
  std::string words = plain_words(message);
  if (words.ends_with('.')) words.pop_back();
  return "cannot be loaded: " + words;
}

}  // namespace

std::string plain_words(std::string_view message) {
  std::string text = one_line(message.substr(0, kMaxRead));
  erase_source_places(text);
  erase_spans(text, "[ONNXRuntimeError] : ", " : ");  // the number of the error
  for (const std::string_view name :
       {"INVALID_ARGUMENT : ", "INVALID_GRAPH : ", "INVALID_PROTOBUF : ", "FAIL : ", "RUNTIME_EXCEPTION : ",
        "NOT_IMPLEMENTED : ", "ENGINE_ERROR : "}) {
    erase_all(text, name);
  }
  erase_spans(text, "Load model from ", " failed:");
  erase_all(text, "Exception during initialization: ");
  erase_all(text, "This is an invalid model. ");
  erase_all(text, "Non-zero status code returned while ");
  erase_all(text, "Please fix either the inputs/outputs or the model");
  erase_folders(text);
  // "a == b was false. What that means": the meaning is enough.
  const std::string_view status = "Status Message: ";
  if (const std::size_t at = text.find(" was false. "); at != text.npos) {
    const std::size_t start = text.find(status);
    const std::size_t from = start < at ? start + status.size() : 0;
    text.erase(from, at + 12 - from);
  }
  erase_all(text, status);
  return as_sentence(text);
}

Error load_error(const std::filesystem::path& file, OrtErrorCode code, std::string_view message) {
  const std::string name = shown_name(file);
  const std::string cause = load_cause(file, code, one_line(message.substr(0, kMaxRead)));
  return invalid_argument(fmt::format("Model file '{}' {}.", name, cause));
}

Error run_error(OrtErrorCode code, std::string_view message) {
  if (contains(message, "Failed to allocate memory") || contains(message, "bad_alloc")) {
    return {.code = Code::kResourceExhausted,
            .message = "There is not enough memory to run the model on inputs of this size."};
  }
  switch (code) {
    // A node that fails on what it was given reports any of these; the file itself was checked at load time.
    case ORT_INVALID_ARGUMENT:
    case ORT_FAIL:
    case ORT_RUNTIME_EXCEPTION: {
      const bool shape =
          contains(message, "Invalid rank for input") || contains(message, "invalid dimensions");
      return invalid_argument("The model refused these inputs: " + plain_words(message),
                              shape ? Reason::kShapeMismatch : Reason::kNone);
    }
    default: return internal_error("The engine failed: " + plain_words(message));
  }
}

}  // namespace bascule::backend::ort
