#pragma once

#include <cstdint>

namespace bascule::access {

// What a route or method does, as far as it matters for who may ask for it. Each line of a route table has
// one.
enum class RouteClass : std::uint8_t {
  kHealth,        // whether the server lives and is ready, by no name
  kMetadata,      // what is served, its inputs and settings; changes nothing
  kInfer,         // asks a model
  kControl,       // changes what is served: load, unload, shared memory (its regions and their status, too)
  kStatistics,    // counters: statistics, metrics
  kTrace,         // trace settings
  kLogs,          // log settings
  kApplications,  // what applications do
};

}  // namespace bascule::access
