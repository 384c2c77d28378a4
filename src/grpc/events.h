#pragma once

namespace bascule::grpc_front {

// What a completion queue gives back: begun once, happens once. `ok`: as gRPC says for what was begun.
// Thread-safety: a queue's events happen one after the other, on the thread that waits on the queue.
class Event {
 public:
  virtual void happened(bool ok) = 0;

 protected:
  ~Event() = default;
};

// An event that calls a function of its owner, and is part of it.
// Thread-safety: as Event.
template <class Owner>
class EventOf final : public Event {
 public:
  using Function = void (Owner::*)(bool);
  EventOf(Owner& owner, Function function) : owner_(owner), function_(function) {}
  void happened(bool ok) override { (owner_.*function_)(ok); }
  // What gRPC is given, and gives back.
  [[nodiscard]] void* tag() { return static_cast<Event*>(this); }

 private:
  Owner& owner_;
  const Function function_;
};

}  // namespace bascule::grpc_front
