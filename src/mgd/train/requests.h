// What others ask of a running training.
#pragma once

#include <atomic>

namespace mgd {

enum class StopReason { finished, early_stop, terminated, interrupted };

// One for each training. All functions may be called from any thread and from a signal handler: they are
// atomic without a lock, which std::stop_source is not.
class TrainRequests {
 public:
  // After the step under way, with a checkpoint; TrainResult::reason tells the last one given here.
  void stop(StopReason reason = StopReason::interrupted) noexcept { stop_ = reason; }
  void save() noexcept { save_ = true; }  // a checkpoint after the step under way

  bool wants_stop() const noexcept { return stop_ != StopReason::finished; }
  StopReason stop_reason() const noexcept { return stop_; }    // finished: nobody asked
  bool take_save() noexcept { return save_.exchange(false); }  // true once for each save()

 private:
  std::atomic<StopReason> stop_{StopReason::finished};
  std::atomic<bool> save_{false};
  static_assert(std::atomic<StopReason>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);
};

}  // namespace mgd
