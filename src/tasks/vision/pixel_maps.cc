#include "tasks/vision/pixel_maps.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "image/encode.h"
#include "image/fit.h"
#include "tasks/vision/outputs.h"

namespace bascule::tasks::vision {
namespace {

constexpr std::uint8_t kNotWanted = 255;

std::size_t pixels_of(content::PictureSize size) {
  return static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width);
}

// The sides of an output of `rank` dimensions, of which all but the last two are 1 and none is 0.
Result<content::PictureSize> sides_of(std::string_view name, const tensor::Tensor& output, std::size_t rank,
                                      std::string_view expected) {
  const tensor::Shape& shape = output.shape;
  const bool fits = shape.size() == rank &&
                    std::all_of(shape.begin(), shape.end() - 2, [](auto d) { return d == 1; }) &&
                    shape[rank - 1] > 0 && shape[rank - 2] > 0;
  if (!fits) return unexpected_output(name, output, expected);
  return content::PictureSize{.height = static_cast<int>(shape[rank - 2]),
                              .width = static_cast<int>(shape[rank - 1])};
}

// For each of `count` places the nearest of `source` (PyTorch's "nearest"), moved by `before`.
std::vector<std::size_t> nearest_places(int source, int count, int before) {
  const float scale = static_cast<float>(source) / static_cast<float>(count);
  std::vector<std::size_t> out;
  for (int at = 0; at < count; ++at) {
    const int place = std::min(static_cast<int>(std::floor(static_cast<float>(at) * scale)), source - 1);
    out.push_back(static_cast<std::size_t>(place + before));
  }
  return out;
}

class ClassMapTask final : public PictureTask {
 public:
  explicit ClassMapTask(PixelMapSpec spec) : PictureTask(spec.input), spec_(std::move(spec)) {}

  [[nodiscard]] std::string_view name() const override { return "semantic"; }

  Result<content::Prediction> finish(const Plan& plan, Scratch& /*scratch*/,
                                     std::span<const tensor::NamedTensor> outputs) const override {
    BASCULE_ASSIGN(const tensor::Tensor* const output,
                   output_named(outputs, spec_.output, tensor::DataType::kUint8));
    BASCULE_ASSIGN(const content::PictureSize sides,
                   sides_of(spec_.output, *output, 3, "a class map is UINT8 [1, height, width]"));
    content::ClassMap map{.picture = plan.letterbox.original};
    map.classes = brought_back(output->elements<std::uint8_t>(), sides, plan.letterbox);
    const std::vector<int>& wanted = plan.options.classes;
    for (std::uint8_t& one : map.classes) {
      if (!wanted.empty() && std::ranges::find(wanted, int{one}) == wanted.end()) one = kNotWanted;
    }
    std::array<std::size_t, 256> counts{};
    for (const std::uint8_t one : map.classes) ++counts[one];
    for (std::size_t id = 0; id < counts.size(); ++id) {
      if (counts[id] == 0) continue;
      map.shares.push_back(
          {.class_id = static_cast<int>(id),
           .of_pixels = static_cast<double>(counts[id]) / static_cast<double>(map.classes.size())});
    }
    BASCULE_ASSIGN(map.png, image::encode_grey_png(std::span<const std::uint8_t>(map.classes), map.picture));
    return map;
  }

 private:
  // To the input's size, without its padding, to the picture's: the nearest each time.
  static std::vector<std::uint8_t> brought_back(std::span<const std::uint8_t> classes,
                                                content::PictureSize sides,
                                                const image::Letterbox& letterbox) {
    const auto to_output = [](int output, int input, std::vector<std::size_t> places) {
      const auto nearest = nearest_places(output, input, 0);
      for (std::size_t& place : places) place = nearest[place];
      return places;
    };
    const content::PictureSize picture = letterbox.original;
    const content::PictureSize input = letterbox.input;
    // As large as the picture is within the input, by the same arithmetic that boxes are brought back with.
    const int height = std::min(static_cast<int>(std::lround(letterbox.gain_y * picture.height)),
                                input.height - letterbox.box_top);
    const int width = std::min(static_cast<int>(std::lround(letterbox.gain_x * picture.width)),
                               input.width - letterbox.box_left);
    const auto rows =
        to_output(sides.height, input.height, nearest_places(height, picture.height, letterbox.box_top));
    const auto columns =
        to_output(sides.width, input.width, nearest_places(width, picture.width, letterbox.box_left));
    std::vector<std::uint8_t> out;
    out.reserve(pixels_of(picture));
    for (const std::size_t row : rows) {
      const std::uint8_t* const line = classes.data() + row * static_cast<std::size_t>(sides.width);
      for (const std::size_t column : columns) out.push_back(line[column]);
    }
    return out;
  }

  PixelMapSpec spec_;
};

class DepthTask final : public PictureTask {
 public:
  explicit DepthTask(PixelMapSpec spec) : PictureTask(spec.input), spec_(std::move(spec)) {}

  [[nodiscard]] std::string_view name() const override { return "depth"; }

  Result<content::Prediction> finish(const Plan& plan, Scratch& /*scratch*/,
                                     std::span<const tensor::NamedTensor> outputs) const override {
    BASCULE_ASSIGN(const tensor::Tensor* const output,
                   output_named(outputs, spec_.output, tensor::DataType::kFp32));
    BASCULE_ASSIGN(const content::PictureSize sides,
                   sides_of(spec_.output, *output, 4, "a depth map is FP32 [1, 1, height, width]"));
    const content::PictureSize input = plan.letterbox.input;
    content::DepthMap map{.picture = plan.letterbox.original, .bits = plan.options.depth_bits};
    std::vector<float> at_input;
    std::span<const float> values = output->elements<float>();
    if (sides != input) {
      at_input.resize(pixels_of(input));
      image::resize_plane(values, sides, at_input, input);
      values = at_input;
    }
    std::vector<float> depth(pixels_of(map.picture));
    image::resize_plane(values, input, depth, map.picture);
    if (!std::ranges::all_of(depth, [](float value) { return std::isfinite(value); })) {
      return internal_error("The model's depth map has values that are no numbers.");
    }
    const auto [nearest, farthest] = std::ranges::minmax(depth);
    map.nearest = nearest;
    map.farthest = farthest;
    quantise(depth, map);
    BASCULE_ASSIGN(map.png, encoded(map));
    return map;
  }

 private:
  static void quantise(const std::vector<float>& depth, content::DepthMap& map) {
    const double range = static_cast<double>(map.farthest) - map.nearest;
    const double most = (1U << static_cast<unsigned>(map.bits)) - 1;
    const double step = range > 0 ? most / range : 0;
    map.levels.reserve(depth.size());
    for (const float value : depth) {
      map.levels.push_back(
          static_cast<std::uint16_t>(std::lround((static_cast<double>(value) - map.nearest) * step)));
    }
  }

  static Result<std::vector<std::byte>> encoded(const content::DepthMap& map) {
    if (map.bits > 8) return image::encode_grey_png(std::span<const std::uint16_t>(map.levels), map.picture);
    const std::vector<std::uint8_t> small(map.levels.begin(), map.levels.end());
    return image::encode_grey_png(std::span<const std::uint8_t>(small), map.picture);
  }

  PixelMapSpec spec_;
};

}  // namespace

std::shared_ptr<const Task> make_class_map_task(PixelMapSpec spec) {
  return std::make_shared<ClassMapTask>(std::move(spec));
}

std::shared_ptr<const Task> make_depth_task(PixelMapSpec spec) {
  return std::make_shared<DepthTask>(std::move(spec));
}

}  // namespace bascule::tasks::vision
