#include "app/batch_local.h"

#include <cstddef>
#include <utility>

#include "content/csv.h"
#include "protocol/rows/rows.h"
#include "protocol/ultralytics/ultralytics.h"

namespace bascule::app {
namespace {

content::InferRequest lone_request() {
  content::InferRequest request;
  request.dialect = "cli";
  request.alone = true;
  return request;
}

}  // namespace

Result<std::string> LocalAsker::ask_picture(const content::EncodedPicture& picture) {
  content::InferRequest request = lone_request();
  request.picture = picture;
  request.options = options_;
  BASCULE_ASSIGN(const content::InferResponse answer, model_.service().infer_and_wait(std::move(request)));
  if (!answer.prediction) return internal_error("The model answered with tensors, not with a prediction.");
  std::string out;
  protocol::ultralytics::append_image(out, answer, {.decimals = decimals_, .speed = false});
  return out;
}

Result<std::vector<std::string>> LocalAsker::ask_rows(const runs::RowsQuestion& question) {
  content::InferRequest request = lone_request();
  BASCULE_ASSIGN(request.rows, question.csv ? content::read_csv(question.body)
                                            : protocol::rows::read_json_rows(question.body));
  BASCULE_ASSIGN(const content::InferResponse answer, model_.service().infer_and_wait(std::move(request)));
  if (!answer.rows) return internal_error("The answer holds no rows.");
  std::vector<std::string> out;
  out.reserve(answer.rows->rows);
  for (std::size_t i = 0; i < answer.rows->rows; ++i) {
    std::string row;
    protocol::rows::append_json_row(row, *model_.info().rows, *answer.rows, i);
    out.push_back(row.substr(1, row.size() - 2));
  }
  return out;
}

}  // namespace bascule::app
