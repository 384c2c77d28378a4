#include "base/compression.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <zlib.h>

#include "base/text.h"

namespace bascule {
namespace {

constexpr std::size_t kFirst = 64ULL << 10U;  // of what comes out; doubled as it fills
constexpr int kGzipWindow = MAX_WBITS + 16;   // zlib's way of saying gzip
constexpr int kMemory = 8;                    // zlib's default memLevel

int window_of(Compression compression) { return compression == Compression::kGzip ? kGzipWindow : MAX_WBITS; }
std::string_view name_of(Compression compression) {
  return compression == Compression::kGzip ? "gzip" : "deflate";
}

// zlib counts in unsigned int.
uInt piece_of(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

Bytef* input_of(std::span<const std::byte> bytes) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): zlib reads it, its type says otherwise
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
}

Error out_of_memory() {
  return {.code = Code::kResourceExhausted,
          .message = "There was not enough memory to read or write compressed data. Try again later."};
}

// zlib's state while something is unpacked.
// Thread-safety: external (one thread).
class Inflater {
 public:
  explicit Inflater(Compression compression)
      : ready_(inflateInit2(&stream_, window_of(compression)) == Z_OK) {}
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  [[nodiscard]] bool ready() const { return ready_; }

  // Unpacks from `in` to `out`, cuts off both what was used, and gives zlib's word for how it went.
  int step(std::span<const std::byte>& in, std::span<std::byte>& out) {
    stream_.next_in = input_of(in);
    stream_.avail_in = piece_of(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = piece_of(out.size());
    const uInt given_in = stream_.avail_in;
    const uInt given_out = stream_.avail_out;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    in = in.subspan(given_in - stream_.avail_in);
    out = out.subspan(given_out - stream_.avail_out);
    return result;
  }

 private:
  z_stream stream_{};
  const bool ready_;
};

// The same while something is packed. Thread-safety: external (one thread).
class Deflater {
 public:
  explicit Deflater(Compression compression)
      : ready_(deflateInit2(&stream_, Z_BEST_SPEED, Z_DEFLATED, window_of(compression), kMemory,
                            Z_DEFAULT_STRATEGY) == Z_OK) {}
  ~Deflater() {
    if (ready_) deflateEnd(&stream_);
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  [[nodiscard]] bool ready() const { return ready_; }

  // Packs `in` to the end of `out`; `last`: nothing follows.
  void add(std::span<const std::byte> in, bool last, std::vector<std::byte>& out) {
    do {
      stream_.next_in = input_of(in);
      stream_.avail_in = piece_of(in.size());
      const uInt given = stream_.avail_in;
      const bool ends = last && given == in.size();
      do {
        const std::size_t used = out.size();
        out.resize(used + kFirst);
        stream_.next_out = reinterpret_cast<Bytef*>(out.data() + used);
        stream_.avail_out = static_cast<uInt>(kFirst);
        deflate(&stream_, ends ? Z_FINISH : Z_NO_FLUSH);
        out.resize(out.size() - stream_.avail_out);
      } while (stream_.avail_out == 0);
      in = in.subspan(given);
    } while (!in.empty());
  }

 private:
  z_stream stream_{};
  const bool ready_;
};

Error too_large(Compression compression, std::size_t limit) {
  return {
      .code = Code::kPayloadTooLarge,
      .message = fmt::format("What is {}-compressed has more than {} bytes, the limit. Send less at a time.",
                             name_of(compression), limit),
      .reason = Reason::kBodyTooLarge,
      .fields = {.got = fmt::format("more than {}", limit), .limit = fmt::format("{}", limit)}};
}

Error damaged(Compression compression, std::string_view how) {
  return invalid_argument(fmt::format("What should be {}-compressed {}. Send it again, or uncompressed.",
                                      name_of(compression), how));
}

}  // namespace

std::optional<Compression> parse_compression(std::string_view coding) {
  if (text::equals_ignoring_case(coding, "gzip") || text::equals_ignoring_case(coding, "x-gzip")) {
    return Compression::kGzip;
  }
  if (text::equals_ignoring_case(coding, "deflate")) return Compression::kDeflate;
  return std::nullopt;
}

Result<std::vector<std::byte>> decompress(std::span<const std::byte> bytes, Compression compression,
                                          std::size_t limit) {
  Inflater inflater(compression);
  if (!inflater.ready()) return out_of_memory();
  std::vector<std::byte> out;
  std::size_t used = 0;
  while (true) {
    if (used == out.size()) {
      // One byte beyond the limit tells what is too large from what is just as large.
      if (used > limit) return too_large(compression, limit);
      out.resize(std::min(std::max(2 * used, kFirst), limit + 1));
    }
    std::span<std::byte> room = std::span(out).subspan(used);
    const int result = inflater.step(bytes, room);
    used = out.size() - room.size();
    if (result == Z_STREAM_END) break;
    if (result == Z_MEM_ERROR) return out_of_memory();
    if (result == Z_BUF_ERROR && !room.empty()) return damaged(compression, "ends too early");
    if (result != Z_OK && result != Z_BUF_ERROR) return damaged(compression, "is not, or is damaged");
  }
  if (used > limit) return too_large(compression, limit);
  if (!bytes.empty())
    return damaged(compression, fmt::format("goes on for {} bytes after its end", bytes.size()));
  out.resize(used);
  return out;
}

Result<std::vector<std::byte>> compress(std::span<const std::span<const std::byte>> pieces,
                                        Compression compression) {
  Deflater deflater(compression);
  if (!deflater.ready()) return out_of_memory();
  std::vector<std::byte> out;
  for (const auto piece : pieces) deflater.add(piece, false, out);
  deflater.add({}, true, out);
  return out;
}

}  // namespace bascule
