#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "content/picture.h"
#include "protocol/body.h"

namespace bascule::http {

// A picture that was sent to an application.
// Thread-safety: a value.
struct PushedPicture {
  content::EncodedPicture picture;
  std::string grams;  // of the form's field of that name: what a scale said; empty: none
};

// The body itself, or the first file of a form. Errors: kInvalidArgument for a form without a file, and for
// nothing at all.
Result<PushedPicture> pushed_picture(std::string_view content_type, const protocol::RequestBody& body);

}  // namespace bascule::http
