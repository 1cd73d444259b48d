// The processes that train one model together. Where nobody says otherwise it is one, and what follows does
// nothing.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>

namespace mgd {

// Of one process. A group of more overrides all of it; every function is then called by all ranks, in the
// same order and with the same shapes, and returns when all have what it gives.
class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const { return 0; }  // 0 ... size() - 1; rank 0 writes
  virtual int size() const { return 1; }

  // Each number, each tensor becomes its sum over the ranks, the same bits on all of them.
  virtual void sum(std::span<double>) {}
  virtual void sum(std::span<at::Tensor>) {}
  // Each tensor becomes that of rank 0.
  virtual void take_first(std::span<at::Tensor>) {}

  bool leads() const { return rank() == 0; }
  // Whether one of the ranks says so.
  bool any(bool mine) {
    double count = mine ? 1 : 0;
    sum({&count, 1});
    return count > 0;
  }
  void wait_for_all() { any(false); }
};

}  // namespace mgd
