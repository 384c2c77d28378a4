#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace bascule::config {

// What a YAML file says of an application. Shapes, ranges, names and references within the file are checked;
// models, paths, URLs and programs of rules are as they stand there. Thread-safety: a value.
struct ApplicationYaml {
  struct Place {
    double x = 0, y = 0;  // parts of the frame
  };
  // A zone of three corners or more, or a line of two.
  struct Shape {
    std::string name;
    std::vector<Place> points;
  };
  // A value of one line of its own.
  struct Setting {
    std::string text;
    std::string place;  // "file.yaml:3"
  };
  // A source or a sink: what kind it is of, where it points, and what else is said of it, checked for its
  // kind: numbers are numbers in their range, flags are "true" or "false".
  struct Channel {
    std::string name;  // of a sink
    std::string kind;  // the first of its keys: "folder", "webhook"
    std::string target;
    std::map<std::string, Setting> settings;
    std::string place;
  };
  struct Rule {
    std::string name;
    std::string when;
    std::uint32_t needed = 1;
    std::uint32_t of = 1;
    std::int64_t cooldown_ms = 0;
    std::string severity = "alert";
    std::vector<std::string> sinks;
    std::string place;  // of its program
  };
  struct Tiles {
    int size = 640;
    double overlap = 0.2;
  };
  struct Track {
    bool on = false;
    std::uint64_t lost_frames = 30;
    double weak_confidence = 0.1;
    bool per_class = true;
  };

  // What events that wait for their receivers may take.
  struct Outbox {
    std::uint64_t max_mb = 256;
    std::int64_t max_age_ms = 7 * std::int64_t{86'400'000};
    bool drop_oldest = false;  // where it is full; else the source waits
  };

  // A till: what is seen goes into baskets.
  struct Checkout {
    std::string prices;  // a file
    std::string currency = "EUR";
    std::string rounding = "half_up";      // or half_even, down
    std::map<std::string, Setting> taxes;  // by group, in per cent as it was written
    bool prices_include_tax = true;
    double ask_below = 0.6;
    std::string receipt_head;
    // What goes into baskets by itself: "frame", all of a frame into a basket of its own; or a line, what
    // crosses it into the open basket. Empty: nothing, pictures are sent for a basket.
    std::string count_at;
    std::string place;
  };

  std::string name;
  std::string place;
  Channel source;
  std::string model;               // may be empty where the source brings boxes
  std::vector<std::string> names;  // of the classes, in their order; empty: the model says
  std::vector<Place> region;
  std::optional<Tiles> tiles;
  double iou = 0.7;
  double confidence = 0.25;
  std::map<std::string, double> confidences;  // by class
  Track track;
  std::vector<Shape> zones;
  std::vector<Shape> lines;
  std::uint64_t window = 30;
  std::vector<Rule> rules;
  std::vector<Channel> sinks;
  Outbox outbox;
  std::optional<Checkout> checkout;
};

// The list `applications` of a file; empty where it has none. The file's other keys are apply_yaml's.
// Errors: kInvalidArgument with file and line: unknown keys with the nearest known one, what is missing, what
// is given twice, numbers out of range.
Result<std::vector<ApplicationYaml>> read_applications(std::string_view yaml, const std::string& file_name);

}  // namespace bascule::config
