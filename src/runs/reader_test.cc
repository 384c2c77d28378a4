#include "runs/reader.h"

#include <fstream>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runs/test_support.h"

namespace bascule::runs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

bool never() { return false; }

ReaderOptions pictures(std::vector<std::string> words) {
  return {.words = std::move(words),
          .is_picture = [](const std::filesystem::path& file) { return file.extension() == ".jpg"; }};
}

ReaderOptions rows(std::vector<std::string> words, std::size_t block = 256) {
  ReaderOptions options = pictures(std::move(words));
  options.pictures = false;
  options.block = block;
  return options;
}

std::vector<Unit> read_all(Reader& reader) {
  std::vector<Unit> out;
  while (true) {
    auto unit = reader.next(never);
    EXPECT_TRUE(unit) << unit.error().message;
    if (!unit || !*unit) return out;
    out.push_back(**std::move(unit));
  }
}

std::vector<Unit> read_all(ReaderOptions options) {
  auto reader = Reader::open(std::move(options));
  EXPECT_TRUE(reader) << reader.error().message;
  return reader ? read_all(*reader) : std::vector<Unit>{};
}

std::vector<std::string> keys_of(const std::vector<Unit>& units, const std::string& without = {}) {
  std::vector<std::string> out;
  for (const Unit& unit : units) {
    for (const Item& item : unit.items) {
      out.push_back(item.key.starts_with(without) ? item.key.substr(without.size()) : item.key);
    }
  }
  return out;
}

TEST(Reader, GoesThroughAFolderByName) {
  const TestFolder folder;
  for (const char* name : {"p/b.jpg", "p/a/2.jpg", "p/a/1.jpg", "p/a/x/3.jpg", "p/c.txt", "p/A.jpg"}) {
    static_cast<void>(folder.write(name, "x"));
  }
  const std::string root = (folder / "p").string();
  std::filesystem::create_directory_symlink(root, folder / "p/a/loop");
  EXPECT_THAT(keys_of(read_all(pictures({root})), root + "/"),
              ElementsAre("A.jpg", "a/1.jpg", "a/2.jpg", "a/x/3.jpg", "b.jpg"));
}

TEST(Reader, TakesFilesGlobsAndLists) {
  const TestFolder folder;
  for (const char* name : {"2.jpg", "1.jpg", "3.png"}) static_cast<void>(folder.write(name, "x"));
  const std::string list = folder.write("list.txt", "x/one.jpg\n\n two.jpg \n");
  EXPECT_THAT(
      keys_of(read_all(pictures({(folder / "*.jpg").string(), "@" + list, (folder / "3.png").string()})),
              (folder / "").string()),
      ElementsAre("1.jpg", "2.jpg", "x/one.jpg", "two.jpg", "3.png"));
}

TEST(Reader, WordsThatMeanNothingAreErrorsAtOnce) {
  const TestFolder folder;
  for (const std::string& word : {(folder / "none.jpg").string(), (folder / "*.jpg").string(),
                                  "@" + (folder / "none.txt").string(), (folder / "").string()}) {
    EXPECT_FALSE(Reader::open(pictures({word}))) << word;
  }
}

TEST(Reader, GathersRowsOfOneFile) {
  const TestFolder folder;
  const std::string a = folder.write("a.csv", "x,y\n1,2\n3,4\n5,6\n");
  const std::string b = folder.write("b.csv", "x,y\n7,8\n");
  const std::string c = folder.write("c.jsonl", "{\"x\":1}\n{\"x\":2}\n");
  const std::string d = folder.write("d.jsonl", "{\"z\":1}\n");
  const std::vector<Unit> units = read_all(rows({a, b, c, d}, 2));
  std::vector<std::size_t> sizes;
  for (const Unit& unit : units) sizes.push_back(unit.items.size());
  EXPECT_THAT(sizes, ElementsAre(2, 1, 1, 2, 1));
  EXPECT_EQ(*units[0].header, "x,y");
  EXPECT_EQ(units[0].form, Form::kCsv);
  EXPECT_EQ(units[3].form, Form::kJson);
  EXPECT_EQ(units[1].items[0].key, a + ":4");
  EXPECT_EQ(units.back().after.inputs, 7U);
  EXPECT_DOUBLE_EQ(units.back().share, 1.0);
}

TEST(Reader, GoesOnFromWhereItWasWithTheSameUnits) {
  const TestFolder folder;
  std::string text;
  for (int i = 0; i < 100; ++i) text += std::to_string(i) + "\n";
  const std::string file = folder.write("a.txt", text);
  const std::vector<Unit> all = read_all(rows({file}, 7));
  for (std::size_t done = 0; done < all.size(); ++done) {
    ReaderOptions options = rows({file}, 7);
    options.from = all[done].after;
    const std::vector<Unit> rest = read_all(std::move(options));
    ASSERT_EQ(rest.size(), all.size() - done - 1);
    for (std::size_t i = 0; i < rest.size(); ++i) {
      EXPECT_EQ(keys_of({rest[i]}), keys_of({all[done + 1 + i]}));
      EXPECT_EQ(rest[i].after, all[done + 1 + i].after);
    }
  }
}

TEST(Reader, SeesThatWhatWasDoneIsAnother) {
  const TestFolder folder;
  const std::string file = folder.write("a.txt", "a\nb\nc\nd\n");
  const Position half = read_all(rows({file}, 2))[0].after;
  const auto from_half = [&](std::string_view text) {
    static_cast<void>(folder.write("a.txt", text));
    ReaderOptions options = rows({file}, 2);
    options.from = half;
    auto reader = Reader::open(std::move(options));
    return reader->next(never);
  };
  EXPECT_TRUE(from_half("a\nb\nc\nd\ne\n"));  // more at the end
  EXPECT_THAT(from_half("a\nx\nc\nd\n").error().message, HasSubstr("are not those"));
  EXPECT_THAT(from_half("new\na\nb\nc\n").error().message, HasSubstr("are not those"));
  EXPECT_THAT(from_half("a\n").error().message, HasSubstr("There are 1 inputs, but the run had come to 2"));
}

TEST(Reader, ShardsHaveEachInputOnce) {
  const TestFolder folder;
  std::string text;
  for (int i = 0; i < 23; ++i) text += std::to_string(i) + "\n";
  const std::string file = folder.write("a.txt", text);
  std::multiset<std::string> seen;
  for (std::uint64_t i = 0; i < 3; ++i) {
    ReaderOptions options = rows({file}, 4);
    options.shard = i;
    options.shards = 3;
    const std::vector<Unit> units = read_all(std::move(options));
    const std::vector<std::string> keys = keys_of(units, file + ":");
    EXPECT_EQ(keys[0], std::to_string(i + 1));
    EXPECT_EQ(keys[1], std::to_string(i + 4));
    seen.insert(keys.begin(), keys.end());
    EXPECT_GE(units.back().after.inputs, 21U);
  }
  EXPECT_EQ(seen.size(), 23U);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 23U);
}

// Videos whose file says how many frames they have; "broken" ends them, "none" opens none.
ReaderOptions videos(std::vector<std::string> words, std::vector<std::string>* opened = nullptr) {
  ReaderOptions options = pictures(std::move(words));
  options.is_video = [](const std::filesystem::path& file) { return file.extension() == ".mp4"; };
  options.open_video = [opened](const std::string& path, const Reader::Stop&) -> Result<NextFrame> {
    if (opened != nullptr) opened->push_back(path);
    std::string text;
    std::ifstream(path) >> text;
    if (text == "none") return Error{.code = Code::kUnsupported, .message = "There is no ffmpeg."};
    if (text == "text") return invalid_argument("It is no video.");
    return NextFrame([text, frame = 0]() mutable -> Result<std::optional<content::EncodedPicture>> {
      if (frame == std::stoi(text)) {
        if (text.ends_with("broken")) return invalid_argument("It is broken.");
        return std::optional<content::EncodedPicture>();
      }
      const auto pixels = std::make_shared<std::string>("frame " + std::to_string(++frame));
      return std::optional(content::EncodedPicture{.bytes = std::as_bytes(std::span(*pixels)),
                                                   .owner = pixels,
                                                   .name = {},
                                                   .raw = content::PictureSize{.height = 1, .width = 1}});
    });
  };
  return options;
}

TEST(Reader, TheFramesOfAVideoAreInputs) {
  const TestFolder folder;
  static_cast<void>(folder.write("p/a.mp4", "2"));
  static_cast<void>(folder.write("p/b.jpg", "x"));
  static_cast<void>(folder.write("p/c.mp4", "1broken"));
  static_cast<void>(folder.write("p/d.mp4", "text"));
  const std::string root = (folder / "p").string();
  const std::vector<Unit> units = read_all(videos({root, root + "/a.mp4"}));
  EXPECT_THAT(keys_of(units, root + "/"),
              ElementsAre("a.mp4:1", "a.mp4:2", "b.jpg", "c.mp4:1", "c.mp4", "d.mp4", "a.mp4:1", "a.mp4:2"));
  const content::EncodedPicture& frame = units[1].items[0].frame;
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(frame.bytes.data()), frame.bytes.size()), "frame 2");
  EXPECT_EQ(units[4].items[0].fault, "It is broken.");
  EXPECT_EQ(units[5].items[0].fault, "It is no video.");
  EXPECT_EQ(units.back().after.inputs, 8U);
  EXPECT_DOUBLE_EQ(units.back().share, 1.0);
}

TEST(Reader, GoesOnWithinAVideo) {
  const TestFolder folder;
  const std::string a = folder.write("a.mp4", "3");
  const std::string b = folder.write("b.mp4", "2broken");
  const std::vector<Unit> all = read_all(videos({a, b}));
  ASSERT_EQ(all.size(), 6U);
  for (std::size_t done = 0; done < all.size(); ++done) {
    ReaderOptions options = videos({a, b});
    options.from = all[done].after;
    EXPECT_EQ(keys_of(read_all(std::move(options))),
              keys_of({all.begin() + static_cast<std::ptrdiff_t>(done) + 1, all.end()}));
  }
}

TEST(Reader, AVideoIsOfOneShard) {
  const TestFolder folder;
  std::vector<std::string> words;
  for (int i = 0; i < 7; ++i) {
    words.push_back(i % 2 == 0 ? folder.write(std::to_string(i) + ".mp4", std::to_string(i + 1))
                               : folder.write(std::to_string(i) + ".jpg", "x"));
  }
  const std::vector<std::string> whole = keys_of(read_all(videos(words)));
  std::multiset<std::string> seen;
  for (std::uint64_t i = 0; i < 3; ++i) {
    std::vector<std::string> opened;
    ReaderOptions options = videos(words, &opened);
    options.shard = i;
    options.shards = 3;
    const std::vector<Unit> units = read_all(options);
    const std::vector<std::string> keys = keys_of(units);
    seen.insert(keys.begin(), keys.end());
    std::vector<std::string> ours;
    for (std::uint64_t j = i; j < words.size(); j += 3) {
      if (words[j].ends_with(".mp4")) ours.push_back(words[j]);
    }
    EXPECT_EQ(opened, ours) << "videos of other shards are not decoded";
    options.from = units.front().after;
    EXPECT_EQ(keys_of(read_all(options)), keys_of({units.begin() + 1, units.end()}));
  }
  EXPECT_EQ(seen, std::multiset<std::string>(whole.begin(), whole.end()));
}

TEST(Reader, WhereNoVideoCanBeReadTheRunEnds) {
  const TestFolder folder;
  auto reader = Reader::open(videos({folder.write("a.mp4", "none")}));
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->next(never).error().message, "There is no ffmpeg.");
}

TEST(Reader, GivesNoHalfUnitWhenItIsStopped) {
  const TestFolder folder;
  auto reader = Reader::open(rows({folder.write("a.txt", "a\nb\nc\n")}, 100));
  ASSERT_TRUE(reader);
  int asked = 0;
  const auto unit = reader->next([&] { return ++asked > 3; });
  ASSERT_TRUE(unit);
  EXPECT_FALSE(*unit);
}

}  // namespace
}  // namespace bascule::runs
