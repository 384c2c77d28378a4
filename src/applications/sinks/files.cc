#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "applications/sinks.h"
#include "applications/sinks/line_file.h"
#include "applications/sinks/sync.h"
#include "content/csv.h"

namespace bascule::applications {
namespace {

// Line ends are nothing but space in JSON, and in a name of ours.
std::string one_line(std::string text) {
  std::ranges::replace_if(text, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

// Thread-safety: external (one thread at a time).
class JsonlSink final : public Sink {
 public:
  explicit JsonlSink(std::filesystem::path file) : file_(std::move(file), "") {}
  Result<void> deliver(const Event& event, const std::function<bool()>& /*stop*/) override {
    return file_.append(one_line(event.json), event.id);
  }

 private:
  LineFile file_;
};

// Thread-safety: external (one thread at a time).
class CsvSink final : public Sink {
 public:
  explicit CsvSink(std::filesystem::path file)
      : file_(std::move(file), "id,time,app,source,frame,rule,severity,event") {}
  Result<void> deliver(const Event& event, const std::function<bool()>& /*stop*/) override {
    std::string line = event.id;
    for (const std::string& field : {utc_text(event.time_ms), event.app, event.source,
                                     std::to_string(event.frame), event.rule, event.severity, event.json}) {
      line += ',';
      content::append_csv(line, one_line(field));
    }
    return file_.append(line, event.id);
  }

 private:
  LineFile file_;
};

// Thread-safety: external (one thread at a time).
class PictureSink final : public Sink {
 public:
  explicit PictureSink(std::filesystem::path folder) : folder_(std::move(folder)) {}

  Result<void> deliver(const Event& event, const std::function<bool()>& /*stop*/) override {
    if (event.picture == nullptr) return {};
    std::error_code code;
    std::filesystem::create_directories(folder_, code);
    if (code) return failed(folder_, code);
    std::string name = fmt::format("{}-{}.jpg", utc_text(event.time_ms), event.id);
    std::erase_if(name, [](char c) { return c == ':' || c == '/'; });  // names that every file system takes
    const std::filesystem::path file = folder_ / name;
    if (std::filesystem::exists(file, code)) return {};
    const std::filesystem::path temporary = folder_ / ("." + name + ".tmp");
    const auto written = write(temporary, *event.picture);
    if (written) std::filesystem::rename(temporary, file, code);
    if (written && !code) return sync_folder(folder_);
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    return written ? failed(file, code) : written;
  }

 private:
  static Result<void> failed(const std::filesystem::path& what, const std::error_code& code) {
    return Error{.code = Code::kUnavailable,
                 .message = fmt::format("'{}' cannot be written: {}.", what.string(), code.message())};
  }

  static Result<void> write(const std::filesystem::path& file, const std::vector<std::byte>& bytes) {
    const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor < 0) return failed(file, {errno, std::generic_category()});
    auto written = write_all(descriptor, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file);
    if (written && ::fsync(descriptor) != 0) written = failed(file, {errno, std::generic_category()});
    ::close(descriptor);
    return written;
  }

  const std::filesystem::path folder_;
};

}  // namespace

std::unique_ptr<Sink> make_jsonl_sink(const std::filesystem::path& file) {
  return std::make_unique<JsonlSink>(file);
}

std::unique_ptr<Sink> make_csv_sink(const std::filesystem::path& file) {
  return std::make_unique<CsvSink>(file);
}

std::unique_ptr<Sink> make_picture_sink(const std::filesystem::path& folder) {
  return std::make_unique<PictureSink>(folder);
}

}  // namespace bascule::applications
