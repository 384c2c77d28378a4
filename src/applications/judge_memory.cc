#include "applications/judge_memory.h"

namespace bascule::applications {
namespace {

using tasks::vision::EvenMotion;
using tasks::vision::Track;
using tasks::vision::TrackerState;
using tasks::vision::TrackPhase;

void pack(Packer& out, const EvenMotion& motion) {
  for (const double value : {motion.at, motion.speed, motion.var_at, motion.covar, motion.var_speed}) {
    out.number(value);
  }
}

EvenMotion unpack_motion(Unpacker& in) {
  EvenMotion out;
  for (double* value : {&out.at, &out.speed, &out.var_at, &out.covar, &out.var_speed}) {
    *value = in.number<double>();
  }
  return out;
}

void pack(Packer& out, const Track& track) {
  out.number(track.id);
  out.number(track.class_id);
  out.number(static_cast<int>(track.phase));
  for (const EvenMotion* motion : {&track.x, &track.y, &track.aspect, &track.height}) pack(out, *motion);
  for (const float side : {track.seen.x1, track.seen.y1, track.seen.x2, track.seen.y2}) out.number(side);
  out.number(track.frame);
  out.number(track.sightings);
  out.flag(track.speed_given);
}

Track unpack_track(Unpacker& in) {
  Track out;
  out.id = in.number<std::uint64_t>();
  out.class_id = in.number<int>();
  const int phase = in.number<int>();
  out.phase = phase == 1 ? TrackPhase::kTracked : phase == 2 ? TrackPhase::kLost : TrackPhase::kNew;
  for (EvenMotion* motion : {&out.x, &out.y, &out.aspect, &out.height}) *motion = unpack_motion(in);
  for (float* side : {&out.seen.x1, &out.seen.y1, &out.seen.x2, &out.seen.y2}) *side = in.number<float>();
  out.frame = in.number<std::uint64_t>();
  out.sightings = in.number<std::uint64_t>();
  out.speed_given = in.flag();
  return out;
}

}  // namespace

void pack(Packer& out, const TrackerState& state) {
  out.number(state.last_id);
  out.number(state.last_frame);
  out.number(state.moved_x);
  out.number(state.moved_y);
  out.number(state.tracks.size());
  for (const Track& track : state.tracks) pack(out, track);
}

TrackerState unpack_tracker(Unpacker& in) {
  TrackerState out;
  out.last_id = in.number<std::uint64_t>();
  out.last_frame = in.number<std::uint64_t>();
  out.moved_x = in.number<double>();
  out.moved_y = in.number<double>();
  const std::size_t count = in.count();
  for (std::size_t i = 0; i < count && !in.failed(); ++i) out.tracks.push_back(unpack_track(in));
  return out;
}

void pack(Packer& out, const PolicyMemory& memory) {
  out.number(memory.held.size());
  for (const bool held : memory.held) out.flag(held);
  out.flag(memory.fired_ms.has_value());
  if (memory.fired_ms) out.number(*memory.fired_ms);
}

PolicyMemory unpack_policy(Unpacker& in) {
  PolicyMemory out;
  const std::size_t count = in.count();
  for (std::size_t i = 0; i < count && !in.failed(); ++i) out.held.push_back(in.flag());
  if (in.flag()) out.fired_ms = in.number<std::int64_t>();
  return out;
}

}  // namespace bascule::applications
