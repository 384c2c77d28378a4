#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "content/infer.h"
#include "content/picture.h"
#include "serving/inference_service.h"

namespace bascule::serving {

// Gives the frames of a video one after the other, nothing at its end; waits for each.
using NextFrame = std::move_only_function<Result<std::optional<content::EncodedPicture>>()>;

// One frame that was answered.
// Thread-safety: a value; one owner at a time.
struct AnsweredFrame {
  content::EncodedPicture picture;
  content::InferResponse answer;
  TimePoint asked;
};

// Takes the answers in the order of their frames. False: nobody wants more of them.
using TakeFrame = std::move_only_function<bool(AnsweredFrame frame)>;

// Where the frames of a video are shown to a model, and how many of them at once.
struct FrameRun {
  InferenceService& service;
  const Clock& clock;
  std::size_t ahead = 2;
};

// Shows a model every frame, each as a request of its own that is otherwise as `like`, and waits for the
// answers: for a thread that has nothing else to do. A frame that finds the queue full comes again, except
// the first: then the whole is refused. What was answered before an error was taken. Gives the number of
// frames. Errors: of `next`, of InferenceService::infer; kCancelled where `take` wants no more.
Result<std::size_t> infer_frames(const FrameRun& run, const content::InferRequest& like, NextFrame next,
                                 TakeFrame take);

}  // namespace bascule::serving
