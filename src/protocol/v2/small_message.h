#pragma once

#include <fmt/format.h>

#include "base/result.h"
#include "protocol/body.h"
#include "protocol/v2/names.h"

// For the .cc files of this folder that know protobuf's generated classes.
namespace bascule::protocol::v2 {

// A message that carries names and numbers only. Errors: kInvalidArgument for what is no such message, or has
// more than kMaxSmallMessage bytes.
template <class Message>
Result<Message> read_small_message(const RequestBody& message) {
  Message wire;
  if (message.bytes.size() > kMaxSmallMessage ||
      !wire.ParseFromArray(message.bytes.data(), static_cast<int>(message.bytes.size()))) {
    return invalid_argument(fmt::format("The message is no {} of at most {} bytes.",
                                        Message::descriptor()->name(), kMaxSmallMessage));
  }
  return wire;
}

}  // namespace bascule::protocol::v2
