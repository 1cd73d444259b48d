#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/format/idle_options.h"
#include "mgd/loss/feature.h"
#include "mgd/loss/pieces.h"
#include "mgd/nn/autocast.h"
#include "mgd/ops/softmax_kl.h"

namespace mgd {
namespace {

struct SimilarityOptions : AlignedOptions {
  std::string among = "samples";
  double temperature = 0.07;
  std::int64_t queue = 0;
  void visit(OptionVisitor& v) {
    LossOptions::visit(v);
    visit_taps(v);
    v.option("among", among,
             {.help = "samples: each against those of earlier steps; positions: of one map, each against "
                      "all of them",
              .choices = {"samples", "positions"}});
    v.option("temperature", temperature, {.help = "divides the cosines", .min = 1e-3, .max = 100});
    v.option("queue", queue,
             {.help = "how many of the teacher's earlier embeddings are held; 0 = a quarter of the training "
                      "samples, 16 ... 8192",
              .min = 0,
              .max = 1e6});
    visit_align(v);
  }
};

// Along dimension 1: length 1; a vector of zeros stays one.
at::Tensor unit(const at::Tensor& x) {
  constexpr double kLeastLength = 1e-12;
  return x / at::linalg_vector_norm(x, 2, at::IntArrayRef{1}, /*keepdim=*/true).clamp_min(kLeastLength);
}

// Embeddings of the teacher, the newest in place of the oldest.
class Queue : public Module {
 public:
  Queue(std::int64_t size, std::int64_t width)
      : held_(add_buffer("held", at::zeros({size, width}, at::kFloat))),
        place_(add_buffer("place", at::zeros({2}, at::kLong))) {}

  std::int64_t size() const { return held_.size(0); }
  std::int64_t filled() const { return place_[0].item<std::int64_t>(); }
  at::Tensor held() const { return held_.narrow(0, 0, filled()); }  // (filled, width)

  void push(const at::Tensor& embeddings) {  // (n, width)
    const at::NoGradGuard no_grad;
    const std::int64_t kept = std::min(embeddings.size(0), size());
    const at::Tensor last = embeddings.narrow(0, embeddings.size(0) - kept, kept);
    const std::int64_t next = place_[1].item<std::int64_t>();
    const std::int64_t before_end = std::min(kept, size() - next);
    held_.narrow(0, next, before_end).copy_(last.narrow(0, 0, before_end));
    held_.narrow(0, 0, kept - before_end).copy_(last.narrow(0, before_end, kept - before_end));
    place_[0].fill_(std::min(filled() + kept, size()));
    place_[1].fill_((next + kept) % size());
  }

 private:
  at::Tensor &held_, &place_;  // (size, width) float, unit length; (2): how many are filled, which is next
};

class QueueBlock : public AlignBlock {
 public:
  QueueBlock(const TapPair& taps, const AlignedOptions& options, std::int64_t size, RandomStream& random)
      : AlignBlock(taps, options, random), queue(make_child<Queue>("queue", size, taps.teacher_shape[0])) {}
  Queue& queue;
};

// KL(softmax(Q t / T) || softmax(Q s / T)), the mean over samples: t and s the embeddings of a sample, Q a
// queue of the teacher's embeddings in earlier steps, all of length 1. Embeddings are vectors, or means of
// maps over positions; a linear layer brings the student's to the teacher's width. No T^2. In the first step
// the queue is empty, and there is no loss. A sample's own embedding of an epoch before may be in the queue;
// none of its own step is. Global part of LightlyTrain's third distillation method.
class AmongSamples final : public FeatureLoss {
 public:
  AmongSamples(const LossEntry& entry, TapPair pair, const SimilarityOptions& options, std::int64_t size)
      : FeatureLoss(std::move(pair), options), temperature_(options.temperature) {
    RandomStream random = init_stream(entry, taps());
    block_ = std::make_unique<QueueBlock>(taps(), options, size, random);
  }

  Module* trainable() override { return block_.get(); }
  double count(const CountInput& input) const override {
    return block_->queue.filled() > 0 ? static_cast<double>(input.batch_size) : 0.0;
  }

  bool remembers() const override { return true; }
  void begin_step() override { seen_.clear(); }
  void see(const LossInput& input) override { seen_.push_back(unit(teacher_embedding(taps(), input))); }
  void end_step() override {
    if (!seen_.empty()) block_->queue.push(at::cat(seen_));
    seen_.clear();
  }
  std::string memory() const override {
    return fmt::format("holds {} of {} earlier embeddings of the teacher", block_->queue.filled(),
                       block_->queue.size());
  }

  at::Tensor sum(const LossInput& input) override {
    const at::Tensor map = student_embedding(taps(), input).unsqueeze(-1).unsqueeze(-1);
    const at::Tensor student = unit(block_->align(map).flatten(1));
    const AutocastGuard without_autocast(false, student.device());  // in bfloat16 a cosine has two digits
    const at::Tensor teacher = unit(teacher_embedding(taps(), input));
    // A copy: the graph of a loss outlives the queue's next push where somebody asks for gradients late.
    const at::Tensor earlier = block_->queue.held().clone().to(teacher.scalar_type()).t();
    return softmax_kl(at::matmul(student, earlier) / temperature_,
                      at::matmul(teacher, earlier) / temperature_, 1);
  }

  std::string describe() const override {
    return taps_text(taps(), /*as_it_is=*/true) +
           fmt::format(
               "; weight {:g} per sample, against {} earlier embeddings of the teacher, temperature {:g}",
               weight(), block_->queue.size(), temperature_);
  }

 private:
  double temperature_;
  std::unique_ptr<QueueBlock> block_;
  std::vector<at::Tensor> seen_;  // (n, Ct) each, of the step that is under way
};

// The same among the positions of each sample: KL(softmax(F^t_p F^t / T) || softmax(F^s_p F^s / T)), the mean
// over positions p and samples, the rows of F being a map's channels at each position, of length 1. The
// student's map is resized to the teacher's. Local part of the same method.
class AmongPositions final : public AlignedLoss {
 public:
  AmongPositions(const LossEntry& entry, TapPair pair, const SimilarityOptions& options)
      : AlignedLoss(entry, std::move(pair), options), temperature_(options.temperature) {}

  double count(const CountInput& input) const override { return static_cast<double>(input.batch_size); }

  at::Tensor sum(const LossInput& input) override {
    const at::Tensor student = unit(aligned_map(input).flatten(2));  // (B, Ct, P)
    const AutocastGuard without_autocast(false, student.device());
    const at::Tensor teacher = unit(teacher_map(input).flatten(2));
    const std::int64_t batch = student.size(0), positions = student.size(2);
    constexpr std::int64_t kCosinesAtOnce = std::int64_t{1} << 24;
    const std::int64_t piece = std::max<std::int64_t>(1, kCosinesAtOnce / (positions * positions));
    const auto rows = [&](const at::Tensor& map, std::int64_t p) {  // (n P, P)
      const at::Tensor some = map.narrow(0, p * piece, std::min(piece, batch - p * piece));
      return at::bmm(some.transpose(1, 2), some).flatten(0, 1) / temperature_;
    };
    const at::Tensor all = sum_of_pieces(
        student, (batch + piece - 1) / piece,
        [&](const at::Tensor& map, std::int64_t p) { return softmax_kl(rows(map, p), rows(teacher, p), 1); });
    return all / static_cast<double>(positions);
  }

  std::string describe() const override {
    return describe_taps() +
           fmt::format("; weight {:g} per sample, each of {:g} positions against all, temperature {:g}",
                       weight(), taps().teacher_positions(), temperature_);
  }

 private:
  double temperature_;
};

std::int64_t queue_size(const LossEntry& entry, std::int64_t wanted) {
  constexpr std::int64_t kLeast = 16, kMost = 8192;
  const std::int64_t samples = entry.context.num_samples;
  if (wanted > samples && samples > 0)
    entry.refuse(
        fmt::format("queue: {} embeddings, but there are {} training samples, and each would be there "
                    "more than once",
                    wanted, samples),
        "queue");
  return wanted > 0 ? wanted : std::clamp(samples / 4, kLeast, kMost);
}

}  // namespace

LossList make_similarity_losses(const LossEntry& entry) {
  SimilarityOptions options;
  LossList losses;
  if (!read_entry(entry, options)) return losses;
  const bool samples = options.among == "samples";
  refuse_idle(entry.node, entry.where(), options,
              {{"queue", !samples, "among positions nothing of earlier steps is held"}});
  for (TapPair& taps : resolve_taps(entry, options, {.vectors = samples, .any_size = true})) {
    if (samples)
      losses.push_back(
          std::make_unique<AmongSamples>(entry, std::move(taps), options, queue_size(entry, options.queue)));
    else if (taps.teacher_positions() < 2)
      entry.refuse(fmt::format("teacher '{}' has one position, which has no others", taps.teacher),
                   "teacher_tap");
    else
      losses.push_back(std::make_unique<AmongPositions>(entry, std::move(taps), options));
  }
  return losses;
}

}  // namespace mgd
