#pragma once

#include <string>
#include <vector>

#include "app/model_config.h"
#include "base/result.h"
#include "catalog/source.h"
#include "content/load_override.h"

namespace bascule::app {

// What the server was started with.
// Thread-safety: a value.
struct Served {
  std::vector<catalog::ModelPath> paths;
  catalog::Look look;
  bool strict = false;  // what is not done is an error
};

// Where the models of a load request come from: what the paths hold, with the request's configuration in
// place of their own; or the request's files, which are written into a private folder that is there as long
// as a source is. Errors: kInvalidArgument for a file that would leave the folder; kNotFound where neither
// the paths nor the files hold such a model; kUnavailable where nothing can be written.
Result<std::vector<catalog::ModelSource>> overridden_sources(const std::string& name,
                                                             const content::LoadOverride& with,
                                                             const Served& served, const Engines& engines);

}  // namespace bascule::app
