#include "runs/reader.h"

#include <set>
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
