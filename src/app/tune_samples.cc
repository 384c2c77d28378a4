#include "app/tune_samples.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/data_set.h"
#include "app/model_settings.h"
#include "app/pictures.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/text.h"
#include "content/csv.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxLabelBytes = 16U << 20U;
constexpr std::size_t kMaxSamples = 200;

std::string ending_of(const fs::path& file) { return text::to_lower(file.extension().string()); }

Result<std::vector<content::Label>> labels_beside(const fs::path& picture) {
  const fs::path file = labels_of(picture);
  std::error_code code;
  if (!fs::exists(file, code)) return std::vector<content::Label>{};
  BASCULE_ASSIGN(const auto bytes, read_file(file, kMaxLabelBytes));
  return content::read_labels({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file.string(), {});
}

// Every n-th of what is there, so that no kind of it is left out.
template <typename T>
void thin_out(std::vector<T>& all) {
  if (all.size() <= kMaxSamples) return;
  std::vector<T> kept;
  for (std::size_t i = 0; i < kMaxSamples; ++i) kept.push_back(std::move(all[i * all.size() / kMaxSamples]));
  all = std::move(kept);
}

Result<std::vector<fs::path>> sample_files(const fs::path& given, bool labels) {
  if (labels) {
    BASCULE_ASSIGN(DataSet data, find_data_set(given, "val"));
    return std::move(data.pictures);
  }
  std::error_code code;
  std::vector<fs::path> out;
  if (!fs::is_directory(given, code)) return std::vector<fs::path>{given};
  for (fs::recursive_directory_iterator it(given, code), end; !code && it != end; it.increment(code)) {
    const std::string ending = ending_of(it->path());
    const bool wanted = looks_like_picture(it->path()) || ending == ".json" || ending == ".csv";
    if (it->is_regular_file(code) && wanted) out.push_back(it->path());
  }
  std::ranges::sort(out);
  if (!out.empty()) return out;
  return not_found(fmt::format(
      "The folder '{}' holds no samples: neither pictures, nor v2 requests (.json), nor tables (.csv).",
      given.string()));
}

// The rows of a table, each as a request. Of a long one every n-th is kept, so that memory does not grow.
class Rows {
 public:
  Result<void> read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return not_found("there is no such file, or it may not be read.");
    content::CsvReader reader(1, [this](content::Table row) { return take(std::move(row)); });
    std::array<char, std::size_t{1} << 16U> block;
    do {
      in.read(block.data(), block.size());
      BASCULE_TRY(reader.feed({block.data(), static_cast<std::size_t>(in.gcount())}));
    } while (in);
    return reader.finish();
  }
  std::vector<content::InferRequest> requests() { return std::move(kept_); }

 private:
  Result<void> take(content::Table row) {
    if (number_++ % step_ != 0) return {};
    if (kept_.size() == 2 * kMaxSamples) {
      for (std::size_t i = 1; i < kMaxSamples; ++i) kept_[i] = std::move(kept_[2 * i]);
      kept_.resize(kMaxSamples);
      step_ *= 2;
    }
    content::InferRequest request;
    request.rows = std::move(row);
    kept_.push_back(std::move(request));
    return {};
  }

  std::size_t number_ = 0;
  std::size_t step_ = 1;
  std::vector<content::InferRequest> kept_;
};

Result<std::vector<content::InferRequest>> requests_in(const fs::path& file) {
  std::vector<content::InferRequest> out;
  if (ending_of(file) != ".csv") {
    BASCULE_ASSIGN(content::InferRequest request, read_sample(file));
    out.push_back(std::move(request));
    return out;
  }
  Rows rows;
  if (auto read = rows.read(file); !read) {
    return Error{.code = read.error().code,
                 .message = fmt::format("{}: {}", file.string(), read.error().message)};
  }
  return rows.requests();
}

}  // namespace

Result<TrialInputs> trial_inputs(const config::Values& values) {
  TrialInputs out{.max_pixels = static_cast<std::uint64_t>(values.integer("max_pixels")),
                  .cores = cpu_budget()};
  const bool labels = values.flag("labels");
  if (!values.has("samples")) {
    if (labels)
      return invalid_argument("--labels says that the samples have labels; give them with --samples.");
    return out;
  }
  BASCULE_ASSIGN(std::vector<fs::path> files, sample_files(values.text("samples"), labels));
  thin_out(files);
  for (const fs::path& file : files) {
    BASCULE_ASSIGN(std::vector<content::InferRequest> requests, requests_in(file));
    std::ranges::move(requests, std::back_inserter(out.samples));
    if (!labels) continue;
    BASCULE_ASSIGN(std::vector<content::Label> beside, labels_beside(file));
    out.labels.push_back(std::move(beside));
  }
  thin_out(out.samples);
  for (content::InferRequest& request : out.samples) request.dialect = "cli";
  return out;
}

}  // namespace bascule::app
