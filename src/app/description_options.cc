#include "app/description_options.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace bascule::app {
namespace {

using config::Option;
using config::Type;

constexpr std::size_t kMostNames = 10'000;

Option of_one_model(Option option) {
  option.one_model_only = true;
  return option;
}

Option text_option(std::string name, std::string text, std::size_t max_items = 0) {
  return of_one_model(
      {.name = std::move(name), .type = Type::kText, .text = std::move(text), .max_items = max_items});
}

Option choice_option(std::string name, std::string text, std::vector<std::string> choices) {
  std::string fallback = choices.front();
  return of_one_model({.name = std::move(name),
                       .type = Type::kChoice,
                       .fallback = std::move(fallback),
                       .text = std::move(text),
                       .choices = std::move(choices)});
}

Option channels_option(std::string name, std::string text, double min) {
  return of_one_model({.name = std::move(name),
                       .type = Type::kNumber,
                       .text = std::move(text),
                       .min = min,
                       .max = 1000,
                       .max_items = 3});
}

// One number for all channels, or one for each in the model's order.
Result<std::array<double, 3>> channels(const config::Values& values, std::string_view name, double none) {
  const std::vector<std::string> items = values.items(name);
  if (items.empty()) return std::array{none, none, none};
  if (items.size() == 2) {
    return invalid_argument(fmt::format("{}: {} has 2 numbers; give one, or three for the three channels.",
                                        values.source(name).place, name));
  }
  std::array<double, 3> out{};
  for (std::size_t c = 0; c < 3; ++c) out[c] = *text::parse_double(items[std::min(c, items.size() - 1)]);
  return out;
}

template <class Enum>
Enum chosen(const config::Values& values, std::string_view name, std::string_view words) {
  // `words` in the order of the enumeration.
  int place = 0;
  for (std::size_t at = 0; at < words.size(); ++place) {
    const std::size_t end = std::min(words.find(' ', at), words.size());
    if (words.substr(at, end - at) == values.text(name)) break;
    at = end + 1;
  }
  return static_cast<Enum>(place);
}

// Of every kind of model, and how pictures get in.
std::vector<Option> input_options() {
  return {
      choice_option(
          "task",
          "What the model is for, where its file does not say it: rows (tables and sentences), classify or "
          "detect (pictures), tensors (nothing else). auto: as the file says, or its shapes show.",
          {"auto", "tensors", "rows", "classify", "detect"}),
      text_option("labels", "What the classes are called, from the first on.", kMostNames),
      text_option("labels_file",
                  "A file with a label on each line, in place of labels; below the folder of the file that "
                  "names it."),
      text_option("columns", "Names of a table's columns, in the model's order.", kMostNames),
      of_one_model(
          {.name = "picture_size",
           .type = Type::kInteger,
           .fallback = "0",
           .text = "Side of the pictures of a model that takes any. 0: 224 for classify, 640 for detect.",
           .unit = "pixels",
           .min = 0,
           .max = 8192}),
      choice_option(
          "fit",
          "How a picture becomes the model's size: letterbox keeps its aspect and pads, stretch does not, "
          "crop cuts out the middle. auto: crop for classify, stretch for detect.",
          {"auto", "letterbox", "stretch", "crop"}),
      of_one_model(
          {.name = "resize",
           .type = Type::kInteger,
           .fallback = "0",
           .text =
               "With fit crop: what the shorter side is brought to first (256 for many classifiers of 224). "
               "0: the picture size.",
           .unit = "pixels",
           .min = 0,
           .max = 8192}),
      choice_option("channel_order", "Order of the colours.", {"rgb", "bgr"}),
      of_one_model(
          {.name = "pixel_scale",
           .type = Type::kNumber,
           .fallback = "0.00392156862745098",
           .text = "What a pixel (0 to 255) is multiplied with, before pixel_mean is taken off and pixel_std "
                   "divides. Of models that take bytes these do not count.",
           .min = 1e-6,
           .max = 1000}),
      channels_option("pixel_mean",
                      "See pixel_scale; one number, or one for each channel in the model's order.", -1000),
      channels_option("pixel_std", "See pixel_scale.", 1e-6),
  };
}

// How answers come out.
std::vector<Option> output_options() {
  return {
      choice_option(
          "activation",
          "What makes the scores probabilities. auto: seen from them; nothing where they already are.",
          {"auto", "none", "sigmoid", "softmax"}),
      text_option("boxes_output", "The output with boxes. None: found by its shape."),
      text_option("scores_output", "The output with scores. None: found by its shape."),
      text_option(
          "classes_output",
          "The output with class numbers, where there is one score for each box. None: found by its name."),
      choice_option("box_format", "What the four numbers of a box are.", {"xyxy", "yxyx", "cxcywh", "xywh"}),
      choice_option("box_unit",
                    "What they count: parts of the picture's sides, or pixels of the model's input.",
                    {"fraction", "pixel"}),
      of_one_model({.name = "background",
                    .type = Type::kFlag,
                    .fallback = "false",
                    .text = "Class 0 is the background, and labels begin with class 1."}),
      of_one_model({.name = "suppress",
                    .type = Type::kFlag,
                    .fallback = "false",
                    .text = "The model leaves overlapping boxes to be suppressed by the server."}),
  };
}

}  // namespace

std::vector<Option> description_options() {
  std::vector<Option> out = input_options();
  std::ranges::move(output_options(), std::back_inserter(out));
  return out;
}

Result<content::ModelDescription> to_description(const config::Values& values) {
  content::ModelDescription out;
  out.task = chosen<content::TaskChoice>(values, "task", "auto tensors rows classify detect");
  out.labels = values.items("labels");
  if (!out.labels.empty() && values.has("labels_file")) {
    return invalid_argument(fmt::format("labels stand in {} and labels_file in {}; give one of them.",
                                        values.source("labels").place, values.source("labels_file").place));
  }
  out.columns = values.items("columns");
  out.size = static_cast<int>(values.integer("picture_size"));
  out.fit = chosen<content::FitChoice>(values, "fit", "auto letterbox stretch crop");
  out.resize = static_cast<int>(values.integer("resize"));
  out.bgr = values.text("channel_order") == "bgr";
  out.scale = values.number("pixel_scale");
  BASCULE_ASSIGN(out.mean, channels(values, "pixel_mean", 0));
  BASCULE_ASSIGN(out.deviation, channels(values, "pixel_std", 1));
  out.activation = chosen<content::Activation>(values, "activation", "auto none sigmoid softmax");
  const auto named = [&](std::string_view name) {
    return values.has(name) ? values.text(name) : std::string();
  };
  out.boxes = named("boxes_output");
  out.scores = named("scores_output");
  out.classes = named("classes_output");
  out.box_form = chosen<content::BoxForm>(values, "box_format", "xyxy yxyx cxcywh xywh");
  out.box_unit = chosen<content::BoxUnit>(values, "box_unit", "fraction pixel");
  out.background = values.flag("background");
  out.suppress = values.flag("suppress");
  return out;
}

}  // namespace bascule::app
