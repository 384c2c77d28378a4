#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "content/picture.h"

namespace bascule::content {

// What a model is for, where someone says it in place of the file.
enum class TaskChoice : std::uint8_t {
  kAuto,      // what the file says, or what its shapes show beyond doubt
  kTensors,   // nothing but tensors
  kRows,      // tables and sentences
  kClassify,  // pictures, to classes
  kDetect,    // pictures, to boxes
};

// How a picture is brought to the model's size.
enum class FitChoice : std::uint8_t { kAuto, kLetterbox, kStretch, kCrop };

// How four numbers are a box.
enum class BoxForm : std::uint8_t { kCorners, kCornersYx, kCentre, kCorner };

// What a box's numbers count.
enum class BoxUnit : std::uint8_t { kFraction, kInput };

// What a score is before it is a probability.
enum class Activation : std::uint8_t {
  kAuto,  // seen from the scores: what lies outside of 0 to 1 is no probability yet
  kNone,
  kSigmoid,
  kSoftmax,
};

// What a user says of a model that its file does not say itself: the content side of `model.yaml`. The
// defaults are what an absent setting means.
// Thread-safety: a value.
struct ModelDescription {
  TaskChoice task = TaskChoice::kAuto;
  std::vector<std::string> labels;   // what the classes 0, 1, … are called
  std::vector<std::string> columns;  // of a table, in the model's order

  // Pictures: an input value is (pixel * scale - mean) / deviation, per channel.
  double scale = 1.0 / 255;
  std::array<double, 3> mean = {0, 0, 0};
  std::array<double, 3> deviation = {1, 1, 1};
  bool bgr = false;
  FitChoice fit = FitChoice::kAuto;
  int size = 0;    // of a model that takes any; 0: the task's usual
  int resize = 0;  // kCrop: what the shorter side is brought to; 0: the input's
  Activation activation = Activation::kAuto;

  // Detectors: the names of the outputs; empty: found by their shapes.
  std::string boxes;
  std::string scores;
  std::string classes;  // the class numbers, where scores are one for each box
  BoxForm box_form = BoxForm::kCorners;
  BoxUnit box_unit = BoxUnit::kFraction;
  bool background = false;  // class 0 is none of the labels
  bool suppress = false;    // overlapping boxes are left to the server
};

}  // namespace bascule::content
