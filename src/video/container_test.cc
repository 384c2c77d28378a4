#include "video/container.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "video/test_clips.h"

namespace bascule::video {
namespace {

using namespace std::string_literals;

std::string_view demuxer(const std::string& bytes) { return demuxer_of(std::as_bytes(std::span(bytes))); }

TEST(Demuxer, IsToldByHowAFileBegins) {
  std::string packets(std::size_t{3} * 188, 'x');
  packets[0] = packets[188] = packets[376] = 'G';
  const std::pair<std::string, const char*> cases[] = {
      {"\0\0\0\x18"s + "ftypisom", "mov"},
      {"\0\0\0\x18"s + "ftypqt  ", "mov"},
      {"\0\0\0\x08"s + "wide\0\0\0\0"s, "mov"},
      {"\0\0\0\x08"s + "moov\0\0\0\0"s, "mov"},
      {"\0\0\0\x18"s + "ftypavif", ""},
      {"\0\0\0\x18"s + "ftypheic", ""},
      {"\0\0\0\x18"s + "ftypavis", ""},
      {"\0\0\0\x1C"s + "ftypmiaf\0\0\0\0mif1avif"s, ""},
      {"\0\0\0\x1C"s + "ftypisom\0\0\2\0isomavc1"s, "mov"},
      {"\x1A\x45\xDF\xA3....", "matroska"},
      {"RIFF....AVI LIST", "avi"},
      {"RIFF....WEBPVP8 ", ""},
      {"RIFF", ""},
      {packets, "mpegts"},
      {"G" + std::string(600, 'x'), ""},
      {"\0\0\x01\xBA...."s, "mpeg"},
      {"FLV\x01....", "flv"},
      {"\x30\x26\xB2\x75\x8E\x66\xCF\x11....", "asf"},
      {"OggS....", "ogg"},
      {"", ""},
      {"#EXTM3U\nhttp://127.0.0.1/a.ts\n", ""},
      {"ffconcat version 1.0\nfile /etc/passwd\n", ""},
      {"<?xml version=\"1.0\"?><MPD></MPD>", ""},
      {"\xFF\xD8\xFF\xE0", ""},
      {"GIF89a", ""},
  };
  for (const auto& [bytes, name] : cases) EXPECT_EQ(demuxer(bytes), name) << bytes.substr(0, 16);
}

}  // namespace
}  // namespace bascule::video
