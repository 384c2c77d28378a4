#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace bascule::protocol::v2 {

// A message of a configuration, and where its fields stand in the text that it was read from.
// Thread-safety: a value that refers to message and tree.
class ConfigNode {
 public:
  using Tree = google::protobuf::TextFormat::ParseInfoTree;

  // `tree`: null where there is no text with lines.
  ConfigNode(const google::protobuf::Message& message, const Tree* tree, std::string_view origin)
      : message_(&message), tree_(tree), origin_(origin) {}

  // Whether the text gives the field, though it be with its default. Without a text: whether it differs from
  // its default.
  [[nodiscard]] bool said(int number) const {
    const auto& field = *field_of(number);
    if (tree_ != nullptr && line_of(field, 0) >= 0) return true;
    if (field.is_repeated()) return message_->GetReflection()->FieldSize(*message_, &field) > 0;
    return message_->GetReflection()->HasField(*message_, &field);
  }

  // "config.pbtxt:12"; the origin alone where there are no lines.
  [[nodiscard]] std::string place(int number, int index = 0) const {
    const int line = tree_ == nullptr ? -1 : line_of(*field_of(number), index);
    return line < 0 ? std::string(origin_) : fmt::format("{}:{}", origin_, line + 1);
  }

  [[nodiscard]] Error error(int number, std::string_view problem, int index = 0) const {
    return invalid_argument(
        fmt::format("{}: {} {}", place(number, index), field_of(number)->name(), problem));
  }

  // The node of a field that is a message; `index` of a repeated one.
  [[nodiscard]] ConfigNode child(int number, const google::protobuf::Message& message, int index = 0) const {
    const auto& field = *field_of(number);
    const Tree* below =
        tree_ == nullptr ? nullptr : tree_->GetTreeForNested(&field, field.is_repeated() ? index : -1);
    return {message, below, origin_};
  }

 private:
  [[nodiscard]] const google::protobuf::FieldDescriptor* field_of(int number) const {
    return message_->GetDescriptor()->FindFieldByNumber(number);
  }
  [[nodiscard]] int line_of(const google::protobuf::FieldDescriptor& field, int index) const {
    return tree_->GetLocation(&field, field.is_repeated() ? index : -1).line;
  }

  const google::protobuf::Message* message_;
  const Tree* tree_;
  std::string_view origin_;
};

}  // namespace bascule::protocol::v2
