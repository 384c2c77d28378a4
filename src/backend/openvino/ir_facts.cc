#include "backend/openvino/ir_facts.h"

#include <cstdint>
#include <system_error>

#include <pugixml.hpp>

namespace bascule::backend::openvino {
namespace {

constexpr std::uintmax_t kMaxXml = 256U << 20U;  // bytes; the weights are in another file

}  // namespace

std::map<std::string, std::string> read_ir_facts(const std::filesystem::path& file) {
  std::error_code code;
  const auto size = std::filesystem::file_size(file, code);
  pugi::xml_document document;
  if (code || size > kMaxXml || !document.load_file(file.c_str())) return {};
  std::map<std::string, std::string> out;
  const pugi::xml_node info = document.child("net").child("rt_info");
  for (const char* section : {"model_info", "framework"}) {
    for (const pugi::xml_node& one : info.child(section).children()) {
      if (const auto value = one.attribute("value")) out.insert_or_assign(one.name(), value.value());
    }
  }
  return out;
}

}  // namespace bascule::backend::openvino
