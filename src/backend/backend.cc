#include "backend/backend.h"

namespace bascule::backend {

std::string_view precision_name(tensor::DataType precision) {
  if (precision == tensor::DataType::kBf16) return "bf16";
  return precision == tensor::DataType::kFp16 ? "f16" : "f32";
}

}  // namespace bascule::backend
