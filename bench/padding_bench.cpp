// What padding costs: a masked-LM step of BERT on batches whose padded shape stays while the share of padding
// grows, and the memory of the output layer. CPU time of the process and bytes held by tensors, so neighbours
// and the allocator's habits do not show. Rounds are interleaved; the median counts.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <c10/core/CPUAllocator.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <new>
#include <vector>

#include "mgd/loss/loss.h"
#include "mgd/model/text_model.h"
#include "mgd/ops/masked_cross_entropy.h"
#include "mgd/train/optimizer.h"

namespace {

constexpr std::int64_t kBatch = 16, kLength = 128, kWidth = 256, kLayers = 4, kVocabulary = 8000;
constexpr int kRounds = 7, kSteps = 2;

// Counts what tensors hold: blocks with their size in front of them.
class CountingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    auto* block =
        static_cast<std::byte*>(std::aligned_alloc(kFront, (bytes + 2 * kFront - 1) / kFront * kFront));
    if (block == nullptr) throw std::bad_alloc();
    new (block) Front{bytes, this};
    held_ += bytes;
    peak_ = std::max(peak_, held_);
    return {block + kFront, block + kFront, &release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  // MiB of `work` at its highest, above what was held before.
  double peak_mib(const std::function<void()>& work) {
    const std::size_t before = peak_ = held_;
    work();
    return static_cast<double>(peak_ - before) / (1 << 20);
  }

 private:
  static constexpr std::size_t kFront = 64;
  struct Front {
    std::size_t bytes;
    CountingAllocator* owner;
  };
  static void release(void* data) {
    std::byte* const block = static_cast<std::byte*>(data) - kFront;
    const auto* front = reinterpret_cast<Front*>(block);
    front->owner->held_ -= front->bytes;
    std::free(block);
  }
  std::size_t held_ = 0, peak_ = 0;
};

double cpu_ms(const std::function<void()>& work) {
  const auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
  };
  const double start = now();
  work();
  return now() - start;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + kRounds / 2, values.end());
  return values[kRounds / 2];
}

// Lengths spread evenly around kLength * (1 - padding), as far as they go; every seventh token is a target.
mgd::Batch ragged_batch(double padding) {
  const double mean = kLength * (1 - padding), reach = std::min(mean, kLength - mean) * 0.9;
  mgd::Batch batch;
  std::vector<at::Tensor> positions;
  batch.tokens.offsets = {0};
  for (std::int64_t s = 0; s < kBatch; ++s) {
    const double place = 2.0 * static_cast<double>(s) / (kBatch - 1) - 1;
    const std::int64_t length = std::llround(mean + reach * place);
    batch.tokens.offsets.push_back(batch.tokens.offsets.back() + length);
    positions.push_back(at::arange(length, at::kLong));
    batch.sample_ids.push_back(s);
  }
  batch.tokens.ids = at::randint(5, kVocabulary, {batch.tokens.num_tokens()}, at::kLong);
  batch.tokens.positions = at::cat(positions);
  batch.target_rows = at::arange(0, batch.tokens.num_tokens(), 7, at::kLong);
  batch.target = batch.tokens.ids.index_select(0, batch.target_rows);
  return batch;
}

struct Case {
  double padding;
  mgd::Batch batch;
  std::vector<double> pass_ms, update_ms;
  double peak_mib = 0;
};

void print_steps(const std::vector<Case>& cases) {
  fmt::print("{:>8} {:>8} {:>14} {:>9} {:>10} {:>9} {:>9} {:>10} {:>9}\n", "padding", "tokens", "pass ms",
             "of 0 %", "/ tokens", "update ms", "step of 0", "pass MiB", "of 0 %");
  const auto tokens = [](const Case& c) { return static_cast<double>(c.batch.tokens.num_tokens()); };
  const Case& whole = cases.front();
  for (const Case& c : cases) {
    const double pass = median(c.pass_ms), update = median(c.update_ms), first = median(whole.pass_ms);
    const double share = tokens(c) / tokens(whole);
    fmt::print("{:>7.0f}% {:>8} {:>14.2f} {:>9.3f} {:>10.3f} {:>9.2f} {:>9.3f} {:>10.1f} {:>9.3f}\n",
               100 * c.padding, c.batch.tokens.num_tokens(), pass, pass / first, pass / first / share, update,
               (pass + update) / (first + median(whole.update_ms)), c.peak_mib, c.peak_mib / whole.peak_mib);
  }
}

void bench_steps(CountingAllocator& memory) {
  const auto model = mgd::make_text_model(
      mgd::text_config("bert",
                       {.vocab_size = kVocabulary, .hidden_size = kWidth, .layers = kLayers, .dropout = 0},
                       mgd::TextHead::masked_lm),
      /*seed=*/1);
  mgd::Optimizer optimizer(model->parameters(), {.name = "adamw", .weight_decay = 0.01});
  const auto pass = [&](const mgd::Batch& batch) {
    mgd::Forward forward(/*training=*/true);
    const mgd::ModelOutput output = model->run(batch, forward);
    (mgd::masked_cross_entropy(output.head, batch.target) / static_cast<double>(batch.num_targets()))
        .backward();
  };
  std::vector<Case> cases;
  for (const double padding : {0.0, 0.25, 0.5, 0.75})
    cases.push_back({.padding = padding, .batch = ragged_batch(padding)});
  for (Case& c : cases) {
    optimizer.zero_grad();
    c.peak_mib = memory.peak_mib([&] { pass(c.batch); });
  }
  for (int round = 0; round < kRounds; ++round)
    for (Case& c : cases) {
      double passes = 0, updates = 0;
      for (int step = 0; step < kSteps; ++step) {
        updates += cpu_ms([&] { optimizer.zero_grad(); });
        passes += cpu_ms([&] { pass(c.batch); });
        updates += cpu_ms([&] {
          optimizer.clip_grad_norm(1.0);
          optimizer.step(1e-4);
        });
      }
      c.pass_ms.push_back(passes / kSteps);
      c.update_ms.push_back(updates / kSteps);
    }
  fmt::print("BERT {} x {}, vocabulary {}, {} x {} places, one thread\n", kLayers, kWidth, kVocabulary,
             kBatch, kLength);
  print_steps(cases);
}

// The loss over a vocabulary: peak memory, of which the gradients that come out are one part.
void bench_head(CountingAllocator& memory) {
  fmt::print("\n{:>10} {:>8} {:>16} {:>16} {:>10} {:>10}\n", "vocabulary", "targets", "all logits MiB",
             "gradients MiB", "peak MiB", "rest MiB");
  for (const std::int64_t vocabulary : {8'000, 32'000, 128'000})
    for (const std::int64_t targets : {300, 1200, 4800}) {
      const mgd::LmHead head{.hidden = at::randn({targets, kWidth}).requires_grad_(true),
                             .weight = at::randn({vocabulary, kWidth}).requires_grad_(true),
                             .bias = at::randn({vocabulary}).requires_grad_(true)};
      const at::Tensor target = at::randint(vocabulary, {targets}, at::kLong);
      const double peak =
          memory.peak_mib([&] { (mgd::masked_cross_entropy(head, target) * 0.5).backward(); });
      const auto mib = [](std::int64_t floats) { return static_cast<double>(floats * 4) / (1 << 20); };
      const double gradients = mib(targets * kWidth + vocabulary * (kWidth + 1));
      fmt::print("{:>10} {:>8} {:>16.1f} {:>16.1f} {:>10.1f} {:>10.1f}\n", vocabulary, targets,
                 mib(vocabulary * targets), gradients, peak, peak - gradients);
    }
}

}  // namespace

int main() {
  at::set_num_threads(1);
  // Never deleted: tensors of the library may outlive main.
  auto* memory = new CountingAllocator;
  c10::SetCPUAllocator(memory, /*priority=*/100);
  bench_steps(*memory);
  bench_head(*memory);
  return 0;
}
