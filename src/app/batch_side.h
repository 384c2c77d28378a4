#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/local_model.h"
#include "base/clock.h"
#include "config/option.h"
#include "runs/asker.h"

namespace bascule::app {

// Who answers a run's questions, and what has to be known of them.
// Thread-safety: external (one owner).
struct Side {
  std::unique_ptr<LocalModel> model;  // null: servers answer
  std::unique_ptr<runs::Asker> asker;
  std::string name;      // of the model, for the report
  std::string identity;  // what tells it from another
  bool pictures = true;
  bool text = false;
  bool keeps_id = false;
  std::size_t block = 256;
  std::size_t lanes = 1;
};

// What the command line says of them.
struct Asked {
  const config::Values& values;
  const std::string& model;
  const std::vector<std::string>& words;  // the inputs
  std::function<bool()> stop;             // whether to give up waiting for servers; asked by any thread
};

// Loads the model, or gets ready to ask the servers. `clock` outlives it. Errors: of LocalModel::open and
// ServerAsker::open; kInvalidArgument for a model that takes neither pictures nor rows.
Result<Side> open_side(const Asked& asked, const Clock& clock);

}  // namespace bascule::app
