#include "app/application_till.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "content/infer.h"
#include "content/prediction.h"

namespace bascule::app {
namespace {

namespace checkout = applications::checkout;
using config::ApplicationYaml;

Error at(const std::string& place, const Error& error) {
  return invalid_argument(fmt::format("{}: {}", place, error.message));
}

Result<checkout::TillOptions> till_options(const ApplicationYaml::Checkout& yaml) {
  checkout::TillOptions out{.rounding = yaml.rounding == "half_even" ? checkout::Rounding::kHalfEven
                                        : yaml.rounding == "down"    ? checkout::Rounding::kDown
                                                                     : checkout::Rounding::kHalfUp,
                            .prices_include_tax = yaml.prices_include_tax};
  auto currency = checkout::currency_of(yaml.currency);
  if (!currency) return at(yaml.place, currency.error());
  out.currency = *std::move(currency);
  for (const auto& [group, tax] : yaml.taxes) {
    const auto rate = checkout::parse_tax(tax.text);
    if (!rate) return at(tax.place, rate.error());
    out.taxes[group] = *rate;
  }
  return out;
}

// What counts of a model's answer.
std::vector<checkout::Seen> seen_of(const content::InferResponse& answer,
                                    const ApplicationYaml& application) {
  std::vector<checkout::Seen> out;
  const auto* found = answer.prediction ? std::get_if<content::Detections>(&*answer.prediction) : nullptr;
  if (found == nullptr) return out;
  for (const content::Detection& row : found->rows) {
    std::string name = content::name_of(row.class_id, answer.model->class_names);
    const auto own = application.confidences.find(name);
    if (row.confidence < (own == application.confidences.end() ? application.confidence : own->second))
      continue;
    out.push_back({.class_name = std::move(name), .confidence = row.confidence});
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<checkout::Till>> open_till(const ApplicationYaml& application, const TillPlace& place,
                                                  serving::InferenceService& service) {
  const ApplicationYaml::Checkout& yaml = *application.checkout;
  BASCULE_ASSIGN(checkout::TillOptions till, till_options(yaml));
  checkout::Till::Look look = [&service, application, look = place.look](content::EncodedPicture picture,
                                                                         checkout::Till::Looked looked) {
    content::InferRequest request;
    request.model = look.model;
    request.dialect = "apps";
    request.options = look.predict;
    request.picture = std::move(picture);
    service.infer(std::move(request), [application, looked = std::move(looked)](
                                          Result<content::InferResponse> answer, bool last) mutable {
      if (!last) return;
      if (!answer) return looked(std::move(answer).error());
      looked(seen_of(*answer, application));
    });
  };
  auto opened = checkout::Till::open({.till = std::move(till),
                                      .prices = place.folder / yaml.prices,
                                      .store = place.state / "baskets.sqlite",
                                      .ask_below = yaml.ask_below,
                                      .receipt_head = yaml.receipt_head},
                                     std::move(look));
  if (!opened) return at(yaml.place, opened.error());
  return std::shared_ptr<checkout::Till>(*std::move(opened));
}

}  // namespace bascule::app
