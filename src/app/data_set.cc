#include "app/data_set.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "app/model_settings.h"
#include "app/pictures.h"
#include "base/file.h"
#include "base/text.h"
#include "config/data_yaml.h"

namespace bascule::app {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxPictures = 1'000'000;
constexpr std::uint64_t kMaxListBytes = 64U << 20U;

Result<void> add_folder(const fs::path& folder, std::vector<fs::path>& out) {
  std::error_code code;
  for (fs::recursive_directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (it->is_regular_file(code) && looks_like_picture(it->path())) out.push_back(it->path());
    if (out.size() > kMaxPictures) {
      return invalid_argument(fmt::format("There are more than {} pictures in '{}'; give a part of them.",
                                          kMaxPictures, folder.string()));
    }
  }
  if (code)
    return not_found(fmt::format("The folder '{}' cannot be read: {}.", folder.string(), code.message()));
  return {};
}

// A file with a picture's path on each line; "./" and bare names are relative to the file's folder.
Result<void> add_list(const fs::path& file, std::vector<fs::path>& out) {
  BASCULE_ASSIGN(const std::vector<std::byte> bytes, read_file(file, kMaxListBytes));
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!rest.empty() && out.size() <= kMaxPictures) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = text::trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!line.empty()) out.push_back((file.parent_path() / fs::path(line)).lexically_normal());
  }
  return {};
}

Result<void> add(const fs::path& path, std::vector<fs::path>& out) {
  std::error_code code;
  if (fs::is_directory(path, code)) return add_folder(path, out);
  if (fs::is_regular_file(path, code)) return add_list(path, out);
  return not_found(fmt::format("There is no '{}'.", path.string()));
}

// The folder that a data set's paths are relative to. A relative one is below the file; where it is not, as
// from the folder that the command was given in.
fs::path root_of(const fs::path& file, const std::string& path) {
  std::error_code code;
  const fs::path beside = file.parent_path() / path;
  return fs::exists(beside, code) || !fs::exists(path, code) ? beside : fs::path(path);
}

}  // namespace

Result<DataSet> find_data_set(const fs::path& data, const std::string& split) {
  DataSet out;
  std::error_code code;
  const std::string extension = text::to_lower(data.extension().string());
  if (extension == ".yaml" || extension == ".yml") {
    BASCULE_ASSIGN(const std::string yaml, read_yaml(data));
    BASCULE_ASSIGN(config::DataYaml said, config::read_data_yaml(yaml, data.string(), split));
    const fs::path root = root_of(data, said.path);
    for (const std::string& path : said.split) BASCULE_TRY(add(root / path, out.pictures));
    out.names = std::move(said.names);
  } else if (fs::is_directory(data / "images", code)) {
    BASCULE_TRY(add_folder(data / "images", out.pictures));
  } else {
    BASCULE_TRY(add(data, out.pictures));
  }
  if (out.pictures.empty()) {
    return not_found(
        fmt::format("'{}' holds no pictures; a data set is a folder with 'images' and 'labels', or the "
                    "YAML file of one.",
                    data.string()));
  }
  std::ranges::sort(out.pictures);
  const auto twice = std::ranges::unique(out.pictures);
  out.pictures.erase(twice.begin(), twice.end());
  return out;
}

fs::path labels_of(const fs::path& picture) {
  std::vector<fs::path> parts(picture.begin(), picture.end());
  const auto folder = std::find(std::next(parts.rbegin()), parts.rend(), fs::path("images"));
  if (folder != parts.rend()) *folder = "labels";
  fs::path out;
  for (const fs::path& part : parts) out /= part;
  return out.replace_extension(".txt");
}

}  // namespace bascule::app
