#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace bascule::protocol::v2 {

// A message as JSON in the form in which Triton gives its configurations: the definition's own field names,
// defaults of plain fields printed, messages and members of a oneof only where they are set, 64-bit numbers
// as numbers (protobuf's own printer makes strings of them).
[[nodiscard]] std::string write_message_json(const google::protobuf::Message& message);

}  // namespace bascule::protocol::v2
