#include "mgd/data/queued_stream.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "mgd/core/clock.h"
#include "mgd/core/error.h"
#include "mgd/core/memory.h"
#include "mgd/core/philox.h"

namespace mgd {
namespace {

using Seconds = std::chrono::duration<double>;

// One micro-batch: its place in the stream.
struct Task {
  std::int64_t epoch, step, first, count;  // samples first ... first + count - 1 of the epoch's order
  bool last;                               // of its step
};

struct Ready {
  Task task{};
  Batch batch;
  std::exception_ptr error;
};

using Order = std::shared_ptr<const std::vector<std::int64_t>>;

StreamOptions checked(StreamOptions options, const BatchWork& maker) {
  if (maker.num_samples() == 0) fail(ExitCode::bad_data, "data: no samples");
  if (options.batch_size < 1) fail(ExitCode::usage, "batch_size: got {}, expected >= 1", options.batch_size);
  if (options.micro_batch_size <= 0) options.micro_batch_size = options.batch_size;
  return options;
}

struct Worker {
  std::thread thread;
  std::unique_ptr<BatchWork::Bench> bench;
};

}  // namespace

std::int64_t StepBatches::num_samples() const {
  std::int64_t n = 0;
  for (const auto& b : micro) n += b.size();
  return n;
}

void BatchStream::take_part(int, int size) {
  if (size > 1) fail(ExitCode::usage, "this data cannot be divided among {} ranks", size);
}

Batch numbered_samples(BatchStream& stream, std::int64_t view, std::span<const std::int64_t> samples) {
  std::vector<Batch> parts;
  for (const std::int64_t sample : samples) {
    stream.seek(view, sample);
    parts.push_back(stream.next().micro.front());
    parts.back().sample_ids = {sample};
    parts.back().view = view;
  }
  return join_batches(parts);
}

// Owned by the stream and by each of its threads: one that hangs in a read can then be left behind.
struct QueuedStream::Impl {
  const std::shared_ptr<BatchWork> maker;
  const StreamOptions options;
  const std::int64_t num_samples;

  std::mutex mutex;
  std::condition_variable work, done;
  std::map<std::int64_t, Ready> ready;  // by sequence number
  Task cursor{};                        // epoch, step, first of the next task
  std::int64_t claimed = 0, given = 0, generation = 0, max_ahead = 0, alive = 0;
  std::int64_t rank = 0, ranks = 1;
  std::map<std::int64_t, Order> orders;
  bool stopping = false;
  double waited = 0;
  std::deque<Worker> workers;  // a deque: a Worker never moves
  const std::unique_ptr<BatchWork::Bench> own_bench;

  Impl(std::shared_ptr<BatchWork> m, const StreamOptions& o)
      : maker(std::move(m)),
        options(checked(o, *maker)),
        num_samples(maker->num_samples()),
        own_bench(maker->make_bench()) {
    const auto micros = (options.batch_size + options.micro_batch_size - 1) / options.micro_batch_size;
    max_ahead = micros * std::max<std::int64_t>(1, options.prefetch_steps);
  }

  std::int64_t steps() const {
    return options.drop_last ? num_samples / options.batch_size
                             : (num_samples + options.batch_size - 1) / options.batch_size;
  }

  // The first sample that falls to rank r, in the order of the epoch; r = ranks: that after the last one.
  std::int64_t begin_of(std::int64_t step, std::int64_t r) const {
    const std::int64_t first = step * options.batch_size;
    return first + (std::min(num_samples, first + options.batch_size) - first) * r / ranks;
  }

  void move_to(std::int64_t epoch, std::int64_t step) {  // under the lock
    if (const std::int64_t all = steps(); all > 0) epoch += step / all, step %= all;
    cursor = Task{epoch, step, begin_of(step, rank), 0, false};
  }

  Task claim() {  // under the lock
    const std::int64_t end = begin_of(cursor.step, rank + 1);
    Task task = cursor;
    task.count = std::min(options.micro_batch_size, end - task.first);
    task.last = task.first + task.count == end;
    cursor.first += task.count;
    if (task.last) move_to(cursor.epoch, cursor.step + 1);
    ++claimed;
    return task;
  }

  Order order_of(std::int64_t epoch) {  // under the lock
    if (!options.shuffle) return nullptr;
    auto& order = orders[epoch];
    if (!order) {
      order = std::make_shared<const std::vector<std::int64_t>>(random_permutation(
          random_key(options.seed, "shuffle"), static_cast<std::uint32_t>(epoch), num_samples));
      while (orders.size() > 2 && orders.begin()->first < epoch) orders.erase(orders.begin());
    }
    return orders[epoch];
  }

  Batch make(const Task& task, const Order& order, BatchWork::Bench& bench) {
    std::vector<std::int64_t> samples(static_cast<std::size_t>(task.count));
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto place = task.first + static_cast<std::int64_t>(i);
      samples[i] = order ? (*order)[static_cast<std::size_t>(place)] : place;
    }
    return maker->make(std::move(samples), task.epoch, bench);
  }

  void serve(BatchWork::Bench& bench) {
    std::unique_lock lock(mutex);
    for (;;) {
      work.wait(lock, [this] { return stopping || claimed - given < max_ahead; });
      if (stopping) break;
      const std::int64_t sequence = claimed, mine = generation;
      Ready result{.task = claim()};
      try {
        const Order order = order_of(result.task.epoch);
        lock.unlock();
        result.batch = make(result.task, order, bench);
      } catch (...) {
        result.error = std::current_exception();
      }
      if (!lock.owns_lock()) lock.lock();
      if (mine == generation) ready.emplace(sequence, std::move(result));
      done.notify_all();
    }
    --alive;
    done.notify_all();
  }

  static void start(const std::shared_ptr<Impl>& self) {
    for (std::int64_t t = 0; t < self->options.threads; ++t) {
      Worker& worker = self->workers.emplace_back();
      worker.bench = self->maker->make_bench();
      ++self->alive;
      try {
        worker.thread = std::thread([self, &worker] { self->serve(*worker.bench); });
      } catch (const std::system_error& e) {
        --self->alive;
        self->workers.pop_back();
        self->stop();
        fail(memory_is_scarce() ? ExitCode::out_of_memory : ExitCode::environment,
             "data.loader_threads: got {}, but thread {} cannot be started: {}", self->options.threads, t + 1,
             e.what());
      }
    }
  }

  // Ends every thread. One that hangs in a read cannot be ended; after a while it is left behind.
  void stop() {
    std::unique_lock lock(mutex);
    stopping = true;
    for (auto& worker : workers) worker.bench->stop = true;
    work.notify_all();
    const bool all = done.wait_for(lock, Seconds(patience()), [this] { return alive == 0; });
    lock.unlock();
    for (auto& worker : workers) all ? worker.thread.join() : worker.thread.detach();
  }

  double patience() const {
    constexpr double kSeconds = 10;
    return options.stall_seconds > 0 ? std::min(kSeconds, options.stall_seconds) : kSeconds;
  }

  std::int64_t samples_done() const {
    std::int64_t n = 0;
    for (const auto& worker : workers) n += worker.bench->done;
    return n;
  }

  [[noreturn]] void report_stall() const {
    std::string names;
    for (const auto& worker : workers)
      if (const std::int64_t sample = worker.bench->sample; sample >= 0)
        names += fmt::format("{}'{}'", names.empty() ? "" : ", ", printable(maker->sample_name(sample)));
    fail(ExitCode::io, "data: no sample came for {:g} s while reading {}; does the storage still answer?",
         options.stall_seconds, names.empty() ? "nothing" : names);
  }

  // The time is counted in slices in which a thread could have worked: a process that was stopped and
  // continued, or a machine that slept, loses one slice and not its run.
  void wait_for_next(std::unique_lock<std::mutex>& lock) {
    constexpr int kSlices = 100;
    const auto here = [this] { return ready.contains(given); };
    if (options.stall_seconds <= 0) return done.wait(lock, here);
    std::int64_t seen = samples_done();
    for (int idle = 0; !done.wait_for(lock, Seconds(options.stall_seconds / kSlices), here);) {
      const std::int64_t now = samples_done();
      idle = now == seen ? idle + 1 : 0;
      seen = now;
      if (idle >= kSlices) report_stall();
    }
  }

  void start_at(std::int64_t epoch, std::int64_t step) {  // under the lock; forgets what was made
    move_to(epoch, step);
    ++generation;
    ready.clear();
    orders.clear();
    claimed = given = 0;
    work.notify_all();
  }

  Ready take() {
    std::unique_lock lock(mutex);
    if (options.threads <= 0) {
      Ready result{.task = claim()};
      const Order order = order_of(result.task.epoch);
      ++given;
      lock.unlock();
      result.batch = make(result.task, order, *own_bench);
      return result;
    }
    wait_for_next(lock);
    Ready result = std::move(ready.extract(given++).mapped());
    work.notify_all();
    return result;
  }
};

QueuedStream::QueuedStream(std::shared_ptr<BatchWork> work, StreamOptions options)
    : impl_(std::make_shared<Impl>(std::move(work), options)) {
  Impl::start(impl_);
}

QueuedStream::~QueuedStream() {
  impl_->stop();
}

std::int64_t QueuedStream::steps_per_epoch() const {
  return impl_->steps();
}

void QueuedStream::seek(std::int64_t epoch, std::int64_t step_in_epoch) {
  const std::lock_guard lock(impl_->mutex);
  impl_->start_at(epoch, step_in_epoch);
}

void QueuedStream::take_part(int rank, int size) {
  const std::lock_guard lock(impl_->mutex);
  const std::int64_t rest = impl_->options.drop_last ? 0 : impl_->num_samples % impl_->options.batch_size;
  const std::int64_t least = rest > 0 ? rest : impl_->options.batch_size;
  if (least < size)
    fail(ExitCode::usage, "a step of {} samples cannot be divided among {} ranks", least, size);
  impl_->rank = rank;
  impl_->ranks = size;
  impl_->start_at(impl_->cursor.epoch, impl_->cursor.step);
}

StepBatches QueuedStream::next() {
  if (impl_->steps() == 0) {
    fail(ExitCode::usage, "batch_size: got {}, expected at most the {} training samples",
         impl_->options.batch_size, impl_->num_samples);
  }
  const double start = now_seconds();
  StepBatches out;
  for (bool last = false; !last;) {
    Ready ready = impl_->take();
    if (ready.error) std::rethrow_exception(ready.error);
    out.epoch = ready.task.epoch;
    out.step_in_epoch = ready.task.step;
    out.micro.push_back(std::move(ready.batch));
    last = ready.task.last;
  }
  impl_->waited += now_seconds() - start;
  return out;
}

double QueuedStream::wait_seconds() const {
  return impl_->waited;
}

std::map<std::string, std::string> QueuedStream::corrupt() const {
  return impl_->maker->corrupt();
}

}  // namespace mgd
