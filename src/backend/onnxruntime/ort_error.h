#pragma once

// Private to this folder: ONNX Runtime's failures in our words.

#include <filesystem>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <onnxruntime_cxx_api.h>

#include "base/result.h"

namespace bascule::backend::ort {

// What ONNX Runtime said, without its source files, function signatures, paths and line breaks, at most 300
// characters, ending in a full stop (or in an ellipsis where it was cut).
[[nodiscard]] std::string plain_words(std::string_view message);

// Why `file` could not be loaded, as one sentence that names the file without its folder.
[[nodiscard]] Error load_error(const std::filesystem::path& file, OrtErrorCode code,
                               std::string_view message);

// Why a run failed: kInvalidArgument where shapes or values were refused, kResourceExhausted where memory ran
// out, else kInternal.
[[nodiscard]] Error run_error(OrtErrorCode code, std::string_view message);

// The one place where exceptions become errors: calls `work`, which gives some Result, and turns what it
// throws into `explain(code, message)`.
template <class Work, class Explain>
auto guarded(Work&& work, Explain&& explain) -> decltype(work()) {
  try {
    return std::forward<Work>(work)();
  } catch (const Ort::Exception& e) {
    return explain(e.GetOrtErrorCode(), std::string_view(e.what()));
  } catch (const std::bad_alloc&) {
    return explain(ORT_FAIL, std::string_view("Failed to allocate memory"));
  } catch (const std::exception& e) {
    return explain(ORT_FAIL, std::string_view(e.what()));
  }
}

}  // namespace bascule::backend::ort
