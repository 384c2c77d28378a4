// Files that are no models, and models that reach for what is not theirs: each is refused with one sentence
// that names the file and the cause.

#include <array>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <string_view>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/onnxruntime/test_models.h"

namespace bascule::backend {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Error refusal(const fs::path& file) {
  auto loaded = make_onnxruntime_backend()->load(file, {});
  if (!loaded) return loaded.error();
  ADD_FAILURE() << file << " was loaded";
  return {};
}

// One line, short, with the file's name but not its folder, nor the engine's insides.
void expect_sentence(const std::string& message, const fs::path& file) {
  EXPECT_THAT(message, HasSubstr("'" + file.filename().string() + "'"));
  EXPECT_THAT(message, testing::EndsWith("."));
  EXPECT_LT(message.size(), 450U) << message;
  for (const std::string_view noise :
       {"\n", ".cc", ".h:", "::", "onnxruntime_src", "ONNXRuntimeError", "0x", "/"}) {
    EXPECT_THAT(message, Not(HasSubstr(noise)));
  }
}

class Refusal : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, std::string_view bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }

  static std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  const fs::path folder_ =
      fs::temp_directory_path() / ("bascule_refusal_" + std::to_string(::getpid()) + "_" +
                                   testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(Refusal, AFileThatIsNotThere) {
  const Error error = refusal(folder_ / "absent.onnx");
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_EQ(error.message, "Model file 'absent.onnx' does not exist.");
}

TEST_F(Refusal, AFolder) {
  fs::create_directories(folder_ / "model.onnx");
  EXPECT_EQ(refusal(folder_ / "model.onnx").message, "'model.onnx' is a folder, not a model file.");
  EXPECT_EQ(refusal("/dev/null").message, "'null' is no regular file.");
}

TEST_F(Refusal, AnEmptyFile) {
  EXPECT_EQ(refusal(write("empty.onnx", "")).message, "Model file 'empty.onnx' is empty (0 bytes).");
}

TEST_F(Refusal, TextAndPointersToTheRealFile) {
  EXPECT_EQ(refusal(write("text.onnx", "this is not a model\n")).message,
            "Model file 'text.onnx' is not an ONNX model; it may be damaged or another kind of file.");
  EXPECT_EQ(refusal(write("lfs.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n"))
                .message,
            "Model file 'lfs.onnx' is a Git LFS pointer, not the model; fetch it with 'git lfs pull'.");
}

TEST_F(Refusal, BytesOfNoMeaning) {
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    std::string bytes(1 + random() % 5000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const fs::path file = write("random.onnx", bytes);
    expect_sentence(refusal(file).message, file);
  }
}

TEST_F(Refusal, AModelCutShortAnywhere) {
  const std::string whole = read(test::kData / "general" / "iris_zipmap.onnx");
  ASSERT_GT(whole.size(), 500U);
  for (std::size_t size = 1; size < whole.size(); size += 23) {
    const fs::path file = write("truncated.onnx", whole.substr(0, size));
    // Cut between two fields it may still be a whole, smaller file; then it loads or lacks something else.
    const auto loaded = make_onnxruntime_backend()->load(file, {});
    if (!loaded) expect_sentence(loaded.error().message, file);
  }
  EXPECT_EQ(
      refusal(write("half.onnx", whole.substr(0, whole.size() / 2))).message,
      "Model file 'half.onnx' begins like an ONNX model but cannot be read to its end; it is damaged or was "
      "cut short.");
}

TEST_F(Refusal, AHostileNameStaysOnOneLine) {
  const Error error = refusal(write("a\nb.onnx", "x"));
  EXPECT_THAT(error.message, Not(HasSubstr("\n")));
}

struct HostileCase {
  const char* file;
  const char* message;
};

TEST_F(Refusal, WholeFilesThatAskForTooMuch) {
  const fs::path folder = test::kData / "hostile";
  for (const auto& [name, message] : std::to_array<HostileCase>({
           {"external_parent.onnx",
            "keeps weights outside its own folder; only files in that folder are read."},
           {"external_far.onnx", "keeps weights outside its own folder; only files in that folder are read."},
           {"external_constant.onnx",
            "keeps weights outside its own folder; only files in that folder are read."},
           {"external_absolute.onnx",
            "keeps weights under an absolute path; only files in the model's own folder are read."},
           {"external_missing.onnx",
            "needs its weights in 'weights.bin' beside it, and that file is missing."},
           {"future_ir.onnx",
            "is written in ONNX IR version 99; this engine reads up to 14, so export it for that one."},
           {"unknown_op.onnx", "uses the operator 'NoSuchOp' of opset 18, which this engine does not know."},
           {"unknown_domain.onnx",
            "uses the operator 'acme.example:Magic', which this engine does not know."},
       })) {
    const Error error = refusal(folder / name);
    EXPECT_EQ(error.code, Code::kInvalidArgument);
    EXPECT_EQ(error.message, std::string("Model file '") + name + "' " + message);
  }
  const fs::path engine = test::kData / "engine";
  EXPECT_EQ(refusal(engine / "sequence_in.onnx").message,
            "Model file 'sequence_in.onnx' has the input 's', which is a sequence; that cannot be served.");
  const Error complex = refusal(engine / "complex.onnx");
  expect_sentence(complex.message, "complex.onnx");
  EXPECT_THAT(complex.message, HasSubstr("complex64"));
}

TEST_F(Refusal, WeightsBehindASymbolicLinkOutOfTheFolder) {
  fs::create_directories(folder_ / "models");
  write("secret.bin", std::string(16, '\0'));
  fs::create_symlink("../secret.bin", folder_ / "models" / "link.bin");
  const fs::path model = folder_ / "models" / "external_link.onnx";
  fs::copy_file(test::kData / "hostile" / "external_link.onnx", model);
  EXPECT_EQ(
      refusal(model).message,
      "Model file 'external_link.onnx' keeps weights outside its own folder; only files in that folder are "
      "read.");
}

TEST_F(Refusal, WeightsThatAreTooShort) {
  fs::copy_file(test::kData / "hostile" / "external_missing.onnx", folder_ / "short.onnx");
  write("weights.bin", "12");
  const Error error = refusal(folder_ / "short.onnx");
  expect_sentence(error.message, "short.onnx");
  EXPECT_THAT(error.message, HasSubstr("out of bounds"));
}

TEST_F(Refusal, EveryBrokenFileOfTheSharedSet) {
  const fs::path folder = test::kShared / "models" / "broken";
  if (!fs::exists(folder)) GTEST_SKIP() << "needs ../shared";
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const Error error = refusal(entry.path());
    EXPECT_EQ(error.code, Code::kInvalidArgument) << entry.path();
    expect_sentence(error.message, entry.path());
    ++files;
  }
  EXPECT_GE(files, 6);
}

TEST_F(Refusal, InputsThatTheModelCannotTake) {
  const auto ranked = test::load(test::kData / "general" / "add_one.onnx");
  ASSERT_TRUE(ranked);
  const auto rank = ranked->run({{{"x", test::floats({16}, std::vector<float>(16))}}}, {});
  ASSERT_FALSE(rank);
  EXPECT_EQ(rank.error().code, Code::kInvalidArgument);
  EXPECT_EQ(rank.error().reason, Reason::kShapeMismatch);
  EXPECT_EQ(rank.error().message,
            "The model refused these inputs: Invalid rank for input: x Got: 1 Expected: 2.");

  const auto add = test::load(test::kData / "engine" / "add_two.onnx");
  ASSERT_TRUE(add);
  const auto shapes = add->run({{{"a", test::floats({2}, {1, 2})}, {"b", test::floats({3}, {1, 2, 3})}}}, {});
  ASSERT_FALSE(shapes);
  EXPECT_EQ(shapes.error().code, Code::kInvalidArgument);
  EXPECT_THAT(shapes.error().message, HasSubstr("2 by 3"));
  EXPECT_THAT(shapes.error().message, Not(HasSubstr(".h:")));
  EXPECT_THAT(shapes.error().message, Not(HasSubstr("void ")));

  const std::array<std::string, 1> nothing{"nothing"};
  const auto output = add->run({{{"a", test::floats({1}, {1})}, {"b", test::floats({1}, {1})}}}, nothing);
  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().reason, Reason::kUnknownOutput);
}

TEST_F(Refusal, SaysNothingOnStandardErrorItself) {
  testing::internal::CaptureStderr();
  refusal(test::kData / "hostile" / "external_parent.onnx");
  fs::copy_file(test::kData / "hostile" / "external_missing.onnx", folder_ / "short.onnx");
  write("weights.bin", "12");
  refusal(folder_ / "short.onnx");
  test::load(test::kData / "general" / "optional_default.onnx");  // warns of its default
  const auto add = test::load(test::kData / "engine" / "add_two.onnx");
  if (add) {
    EXPECT_FALSE(add->run({{{"a", test::floats({2}, {1, 2})}, {"b", test::floats({3}, {1, 2, 3})}}}, {}));
  }
  // Warns at every run that the file declares another shape; requests must not fill the log.
  const auto open = test::load(test::kData / "engine" / "no_shape.onnx");
  if (open) test::run(*open, {{"x", test::floats({1, 4}, {1, 2, 3, 4})}});
  const std::string output = testing::internal::GetCapturedStderr();
  // The one warning, in our log's own line.
  EXPECT_THAT(output, HasSubstr("onnxruntime: Initializer bias appears in graph inputs"));
  EXPECT_THAT(output, Not(HasSubstr("[W:")));
  EXPECT_THAT(output, Not(HasSubstr("[E:")));
  EXPECT_EQ(std::ranges::count(output, '\n'), 1) << output;
}

}  // namespace
}  // namespace bascule::backend
