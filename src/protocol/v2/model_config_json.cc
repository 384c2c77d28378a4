#include "protocol/v2/model_config_json.h"

#include <string_view>

#include "base/check.h"
#include "base/text.h"
#include "protocol/json.h"

namespace bascule::protocol::v2 {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

class JsonWriter {
 public:
  void message(const Message& message) {
    out += '{';
    const auto& fields = *message.GetDescriptor();
    bool first = true;
    for (int i = 0; i < fields.field_count(); ++i) {
      const FieldDescriptor& field = *fields.field(i);
      const bool plain = !field.has_presence();
      if (!plain && !message.GetReflection()->HasField(message, &field)) continue;
      if (!first) out += ',';
      first = false;
      key(field.name());
      value_of(message, field);
    }
    out += '}';
  }

  std::string out;

 private:
  void key(std::string_view name) {
    text::append_json_quoted(out, name);
    out += ':';
  }

  void value_of(const Message& message, const FieldDescriptor& field) {
    if (field.is_map()) return map(message, field);
    if (!field.is_repeated()) return item(message, field, -1);
    out += '[';
    const int size = message.GetReflection()->FieldSize(message, &field);
    for (int i = 0; i < size; ++i) {
      if (i > 0) out += ',';
      item(message, field, i);
    }
    out += ']';
  }

  void map(const Message& message, const FieldDescriptor& field) {
    out += '{';
    const int size = message.GetReflection()->FieldSize(message, &field);
    for (int i = 0; i < size; ++i) {
      const Message& entry = message.GetReflection()->GetRepeatedMessage(message, &field, i);
      const FieldDescriptor& name = *entry.GetDescriptor()->map_key();
      if (i > 0) out += ',';
      if (name.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        item(entry, name, -1);
      } else {
        out += '"';
        item(entry, name, -1);
        out += '"';
      }
      out += ':';
      item(entry, *entry.GetDescriptor()->map_value(), -1);
    }
    out += '}';
  }

  // One value; `index` of a repeated field, else -1.
  void item(const Message& from, const FieldDescriptor& field, int index) {
    const Reflection& access = *from.GetReflection();
    const bool one = index < 0;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return integer(one ? access.GetInt32(from, &field) : access.GetRepeatedInt32(from, &field, index));
      case FieldDescriptor::CPPTYPE_INT64:
        return integer(one ? access.GetInt64(from, &field) : access.GetRepeatedInt64(from, &field, index));
      case FieldDescriptor::CPPTYPE_UINT32:
        return natural(one ? access.GetUInt32(from, &field) : access.GetRepeatedUInt32(from, &field, index));
      case FieldDescriptor::CPPTYPE_UINT64:
        return natural(one ? access.GetUInt64(from, &field) : access.GetRepeatedUInt64(from, &field, index));
      case FieldDescriptor::CPPTYPE_FLOAT:
        return append_number(
            out, one ? access.GetFloat(from, &field) : access.GetRepeatedFloat(from, &field, index),
            NonFinite::kNull);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return append_number(
            out, one ? access.GetDouble(from, &field) : access.GetRepeatedDouble(from, &field, index),
            NonFinite::kNull);
      case FieldDescriptor::CPPTYPE_BOOL:
        out += (one ? access.GetBool(from, &field) : access.GetRepeatedBool(from, &field, index)) ? "true"
                                                                                                  : "false";
        return;
      case FieldDescriptor::CPPTYPE_STRING:
        return text::append_json_quoted(
            out, one ? access.GetString(from, &field) : access.GetRepeatedString(from, &field, index));
      case FieldDescriptor::CPPTYPE_ENUM:
        return text::append_json_quoted(
            out, (one ? access.GetEnum(from, &field) : access.GetRepeatedEnum(from, &field, index))->name());
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return message(one ? access.GetMessage(from, &field)
                           : access.GetRepeatedMessage(from, &field, index));
    }
    BASCULE_CHECK(false);
  }

  void integer(std::int64_t value) { append_number(out, value); }
  void natural(std::uint64_t value) { append_number(out, value); }
};

}  // namespace

std::string write_message_json(const Message& message) {
  JsonWriter writer;
  writer.message(message);
  return std::move(writer.out);
}

}  // namespace bascule::protocol::v2
