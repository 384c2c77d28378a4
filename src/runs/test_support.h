#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/file.h"
#include "base/mutex.h"
#include "content/csv.h"
#include "protocol/rows/rows.h"
#include "runs/asker.h"

// For tests: a folder that goes, and a model that is a function.
namespace bascule::runs {

// Thread-safety: external (one thread).
class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "bascule-runs-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TestFolder() {
    std::error_code code;
    std::filesystem::remove_all(path_, code);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  [[nodiscard]] std::string write(std::string_view name, std::string_view text) const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file.string();
  }
  [[nodiscard]] std::string read(std::string_view name) const {
    std::ifstream in(path_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::filesystem::path path_;
};

// Answers a row with its first cell, and a picture with what its file holds. Refuses rows with "bad" in the
// first cell, all that come with them included, and pictures that say "bad"; "gone" is nobody there to
// answer. Thread-safety: thread-safe.
class EchoAsker final : public Asker {
 public:
  Result<std::string> ask_picture(const content::EncodedPicture& picture) override {
    const std::string text(reinterpret_cast<const char*>(picture.bytes.data()), picture.bytes.size());
    if (text == "gone") return Error{.code = Code::kUnavailable, .message = "Nobody is there."};
    if (text == "bad") return invalid_argument("It is bad.");
    return R"("shape":[4,8],"results":[{"name":")" + text +
           R"(","class":1,"confidence":0.5,"box":{"x1":1.0,"y1":1.0,"x2":3.0,"y2":2.0}}])";
  }

  Result<std::vector<std::string>> ask_rows(const RowsQuestion& question) override {
    asked_.with([](int& asked) { ++asked; });
    BASCULE_ASSIGN(const content::Table table, question.csv ? content::read_csv(question.body)
                                                            : protocol::rows::read_json_rows(question.body));
    std::vector<std::string> out;
    for (std::size_t i = 0; i < table.rows(); ++i) {
      const std::string cell(table.text_of(table.cells[i * table.width]));
      if (cell == "gone") return Error{.code = Code::kUnavailable, .message = "Nobody is there."};
      if (cell == "bad") return invalid_argument("Row " + std::to_string(i + 1) + " is bad.");
      out.push_back(R"("label":")" + cell + R"(","probabilities":{"a":0.25,"b":0.75})");
    }
    return out;
  }

  [[nodiscard]] int asked() const {
    return asked_.with([](const int& asked) { return asked; });
  }

 private:
  Guarded<int> asked_;
};

}  // namespace bascule::runs
