#include "http/reply_stream.h"

#include <gtest/gtest.h>

#include <future>

#include "base/executor.h"

namespace bascule::http {
namespace {

TEST(ReplyStream, IsTakenInPiecesUpToItsEnd) {
  const auto stream = std::make_shared<ReplyStream>();
  int woken = 0;
  stream->on_change([&] { ++woken; });
  EXPECT_EQ(stream->take().bytes, "");
  EXPECT_TRUE(stream->push("a"));
  EXPECT_TRUE(stream->push("b"));
  const auto first = stream->take();
  EXPECT_EQ(first.bytes, "ab");
  EXPECT_FALSE(first.last);
  EXPECT_TRUE(stream->push("c"));
  stream->finish();
  const auto last = stream->take();
  EXPECT_EQ(last.bytes, "c");
  EXPECT_TRUE(last.last);
  EXPECT_EQ(woken, 4);
}

TEST(ReplyStream, MakesPiecesWhenTheyCanBeSent) {
  int made = 0;
  const auto owned = std::make_shared<int>();
  auto stream = std::make_shared<ReplyStream>([&made, owned] { return std::string(made++ == 0 ? "a" : ""); });
  int woken = 0;
  stream->on_change([&] { ++woken; });
  EXPECT_EQ(stream->take().bytes, "a");
  EXPECT_EQ(stream->take().bytes, "");
  stream->poke();
  EXPECT_EQ(woken, 1);
  stream->finish();
  EXPECT_TRUE(stream->take().last);
  EXPECT_EQ(made, 2);
  StreamEnd(std::move(stream)).reset();
  EXPECT_EQ(owned.use_count(), 1);  // it went with whoever took the pieces
}

TEST(ReplyStream, MakesWhoeverIsFasterWait) {
  const auto stream = std::make_shared<ReplyStream>();
  ThreadPool pool({.name = "maker"});
  std::promise<bool> told;
  const std::string piece(ReplyStream::kMaxWaiting, 'x');
  EXPECT_TRUE(stream->push(piece));
  ASSERT_TRUE(pool.post([&] { told.set_value(stream->push("more")); }));
  auto pushed = told.get_future();
  std::string all;
  while (all.size() < piece.size() + 4) {
    const auto taken = stream->take();
    EXPECT_LE(taken.bytes.size(), piece.size() + 4);
    all += taken.bytes;
  }
  EXPECT_TRUE(pushed.get());
  EXPECT_TRUE(all.ends_with("xmore"));
}

TEST(ReplyStream, ADroppedEndLetsNobodyWait) {
  const auto stream = std::make_shared<ReplyStream>();
  ThreadPool pool({.name = "maker"});
  std::promise<bool> told;
  bool woken = false;
  {
    StreamEnd end(stream);
    StreamEnd moved = std::move(end);
    EXPECT_FALSE(end);  // NOLINT(bugprone-use-after-move): that it is empty is promised
    EXPECT_TRUE(moved->push(std::string(ReplyStream::kMaxWaiting, 'x')));
    ASSERT_TRUE(pool.post([&] { told.set_value(stream->push("more")); }));
    moved->on_change([&] { woken = true; });
  }
  EXPECT_FALSE(told.get_future().get());
  stream->finish();
  EXPECT_FALSE(woken);
}

}  // namespace
}  // namespace bascule::http
