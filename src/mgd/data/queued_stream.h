// Micro-batches in a deterministic order, made by background threads: what the streams of pictures and of
// text share.
#pragma once

#include <atomic>
#include <memory>

#include "mgd/data/batch_stream.h"

namespace mgd {

struct StreamOptions {
  std::int64_t batch_size = 128;      // samples of one optimizer step
  std::int64_t micro_batch_size = 0;  // 0 = batch_size
  bool shuffle = false;               // by (seed, epoch)
  bool drop_last = false;             // training: an incomplete last step is dropped
  std::uint64_t seed = 1;
  std::int64_t threads = 2;  // 0: made in the caller's thread
  std::int64_t prefetch_steps = 4;
  double stall_seconds = 300;  // no sample for so long: Error(io) naming the sample; 0 = wait for ever
};

// Sample numbers -> one micro-batch. Called by several threads at once: what a thread needs for itself lies
// in its bench.
class BatchWork {
 public:
  // What one thread works with, and what others may see of its work.
  struct Bench {
    virtual ~Bench() = default;
    std::atomic<std::int64_t> sample{-1};  // being read; -1: none
    std::atomic<std::int64_t> done{0};     // samples finished
    std::atomic<bool> stop{false};         // make() then ends early with what it has
  };

  virtual ~BatchWork() = default;
  virtual std::int64_t num_samples() const = 0;  // of every epoch
  virtual std::string sample_name(std::int64_t sample) const = 0;
  virtual std::unique_ptr<Bench> make_bench() const = 0;
  // A function of (samples, epoch) alone. `bench` comes from make_bench().
  virtual Batch make(std::vector<std::int64_t> samples, std::int64_t epoch, Bench& bench) = 0;
  virtual std::map<std::string, std::string> corrupt() const = 0;
};

// Nothing depends on `threads` but time, and on `micro_batch_size` but memory: the order is a function of
// (seed, epoch). Without `drop_last` each epoch holds every sample once; its last step may be smaller.
class QueuedStream : public BatchStream {
 public:
  // Throws Error(bad_data) when there are no samples, Error(usage) for options that do not fit,
  // Error(environment) when a thread cannot be started.
  QueuedStream(std::shared_ptr<BatchWork> work, StreamOptions options);
  ~QueuedStream() override;  // waits for the samples in work; a thread that hangs (10 s) is left behind
  QueuedStream(const QueuedStream&) = delete;
  QueuedStream& operator=(const QueuedStream&) = delete;

  std::int64_t steps_per_epoch() const override;
  void seek(std::int64_t epoch, std::int64_t step_in_epoch) override;
  StepBatches next() override;
  void take_part(int rank, int size) override;
  double wait_seconds() const override;
  std::map<std::string, std::string> corrupt() const override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace mgd
