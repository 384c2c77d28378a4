#pragma once

#include <string_view>

#include "base/result.h"
#include "protocol/json_reader.h"
#include "tensor/tensor.h"

namespace bascule::protocol::v2 {

// Reads the value of a `data` member, at which `json` stands, as a tensor: flat, or nested row-major exactly
// as `shape` says. Memory is asked for only when the rest of the text is long enough to hold that many
// elements. `name` is the input's, for messages. Errors: kInvalidArgument with the input's name and the
// element's index.
Result<tensor::Tensor> read_json_tensor(JsonReader& json, tensor::DataType type, tensor::Shape shape,
                                        std::string_view name);

// Appends the elements as a flat JSON array: booleans as true/false, BYTES as strings in which bytes that are
// not UTF-8 become U+FFFD (ask for binary data to get them as they are), NaN and infinities by name.
// Errors: kInvalidArgument, kNotInJson for FP16 and BF16; kInternal where the bytes disagree with the shape.
Result<void> append_json_tensor(std::string& out, const tensor::Tensor& tensor, std::string_view name);

}  // namespace bascule::protocol::v2
