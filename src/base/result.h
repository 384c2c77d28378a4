#pragma once

#include <expected>
#include <type_traits>
#include <utility>

#include "base/error.h"

namespace bascule {

// A value or an `Error`. `std::expected` with two additions that libstdc++ 12 lacks: dropping one is a
// warning, and an `Error` converts without `std::unexpected`. Thread-safety: as T.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
  Result(Error error) : std::expected<T, Error>(std::unexpect, std::move(error)) {}
};

template <>
class [[nodiscard]] Result<void> : public std::expected<void, Error> {
 public:
  using std::expected<void, Error>::expected;
  Result(Error error) : std::expected<void, Error>(std::unexpect, std::move(error)) {}
};

}  // namespace bascule

#define BASCULE_CONCAT_INNER(a, b) a##b
#define BASCULE_CONCAT(a, b) BASCULE_CONCAT_INNER(a, b)

// Returns the error of a `Result<void>` expression to the caller.
#define BASCULE_TRY(expression)                                             \
  do {                                                                      \
    if (auto bascule_result = (expression); !bascule_result) [[unlikely]] { \
      return ::bascule::Error(std::move(bascule_result).error());           \
    }                                                                       \
  } while (false)

// `BASCULE_ASSIGN(auto x, f());` declares x from the value, or returns the error to the caller.
#define BASCULE_ASSIGN(declaration, expression)                                            \
  auto BASCULE_CONCAT(bascule_result_, __LINE__) = (expression);                           \
  if (!BASCULE_CONCAT(bascule_result_, __LINE__)) [[unlikely]] {                           \
    return ::bascule::Error(std::move(BASCULE_CONCAT(bascule_result_, __LINE__)).error()); \
  }                                                                                        \
  declaration = *std::move(BASCULE_CONCAT(bascule_result_, __LINE__))
