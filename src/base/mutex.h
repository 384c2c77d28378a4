#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

// Clang's thread-safety analysis, checked by the `tidy` preset; g++ ignores it.
#if defined(__clang__)
#define BASCULE_TSA(x) __attribute__((x))
#else
#define BASCULE_TSA(x)
#endif
#define BASCULE_GUARDED_BY(x) BASCULE_TSA(guarded_by(x))
#define BASCULE_REQUIRES(...) BASCULE_TSA(requires_capability(__VA_ARGS__))

namespace bascule {

// `std::mutex` that the analysis knows.
// Thread-safety: thread-safe.
class BASCULE_TSA(capability("mutex")) Mutex {
 public:
  void lock() BASCULE_TSA(acquire_capability()) { mutex_.lock(); }
  void unlock() BASCULE_TSA(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

// Holds a `Mutex` for a scope.
// Thread-safety: external (one thread holds it).
class BASCULE_TSA(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) BASCULE_TSA(acquire_capability(mutex)) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() BASCULE_TSA(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits on a `Mutex` already held. Thread-safety: thread-safe.
class ConditionVariable {
 public:
  template <class Predicate>
  void wait(Mutex& mutex, Predicate done) BASCULE_REQUIRES(mutex) {
    condition_.wait(mutex, std::move(done));
  }
  // As wait, but gives up after `most`; true where `done` holds.
  template <class Predicate>
  bool wait_for(Mutex& mutex, std::chrono::nanoseconds most, Predicate done) BASCULE_REQUIRES(mutex) {
    return condition_.wait_for(mutex, most, std::move(done));
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable_any condition_;
};

// A value that can only be reached while its mutex is held: `guarded.with([](T& value) { … })`.
// Thread-safety: thread-safe.
template <class T>
class Guarded {
 public:
  Guarded() = default;
  explicit Guarded(T value) : value_(std::move(value)) {}

  template <class F>
  decltype(auto) with(F&& f) {
    MutexLock lock(mutex_);
    return std::forward<F>(f)(value_);
  }
  template <class F>
  decltype(auto) with(F&& f) const {
    MutexLock lock(mutex_);
    return std::forward<F>(f)(static_cast<const T&>(value_));
  }

 private:
  mutable Mutex mutex_;
  T value_ BASCULE_GUARDED_BY(mutex_){};
};

}  // namespace bascule
