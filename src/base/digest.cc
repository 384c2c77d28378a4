#include "base/digest.h"

#include <array>
#include <fstream>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/check.h"

namespace bascule {
namespace {

std::string hexadecimal(std::span<const unsigned char> bytes) {
  std::string out;
  for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace

Result<std::string> file_digest(const std::filesystem::path& file) {
  constexpr std::size_t kPiece = 1U << 20U;
  std::ifstream in(file, std::ios::binary);
  if (!in) return not_found(fmt::format("The file '{}' cannot be read.", file.filename().string()));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  bool good = context != nullptr && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  std::vector<char> piece(kPiece);
  while (good && in) {
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    good = EVP_DigestUpdate(context.get(), piece.data(), static_cast<std::size_t>(in.gcount())) == 1;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (!good || in.bad() || EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1) {
    return invalid_argument(
        fmt::format("The file '{}' cannot be read to its end.", file.filename().string()));
  }
  return hexadecimal(std::span(digest).first(size));
}

std::string digest_of(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  BASCULE_CHECK(EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_sha256(), nullptr) == 1);
  return hexadecimal(std::span(out).first(size));
}

std::string keyed_digest(std::string_view key, std::span<const std::string_view> parts) {
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> kind(EVP_MAC_fetch(nullptr, "HMAC", nullptr),
                                                               &EVP_MAC_free);
  const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(EVP_MAC_CTX_new(kind.get()),
                                                                          &EVP_MAC_CTX_free);
  std::array<char, 7> name{'S', 'H', 'A', '2', '5', '6', 0};
  const std::array<OSSL_PARAM, 2> params{OSSL_PARAM_construct_utf8_string("digest", name.data(), 0),
                                         OSSL_PARAM_construct_end()};
  const auto* const secret = reinterpret_cast<const unsigned char*>(key.data() == nullptr ? "" : key.data());
  bool good = context != nullptr && EVP_MAC_init(context.get(), secret, key.size(), params.data()) == 1;
  for (const std::string_view part : parts) {
    good = good && EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(part.data()),
                                  part.size()) == 1;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  std::size_t size = 0;
  BASCULE_CHECK(good && EVP_MAC_final(context.get(), out.data(), &size, out.size()) == 1);
  return hexadecimal(std::span(out).first(size));
}

}  // namespace bascule
