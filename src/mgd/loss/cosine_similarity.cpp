#include <ATen/TensorOperators.h>
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/loss/entry.h"
#include "mgd/ops/argument.h"

namespace mgd {
namespace {

struct CosineSimilarityOptions : LossOptions {
  double max_score = 1;
  void visit(OptionVisitor& v) {
    LossOptions::visit(v);
    v.option("max_score", max_score,
             {.help = "the data's score of two texts that say the same", .min = 0, .min_open = true});
  }
};

// (cos(u, v) - score / max_score)^2 over the two sentence embeddings of a pair; count: pairs. Reimers and
// Gurevych, "Sentence-BERT", section 3, regression objective.
class CosineSimilarity final : public NamedLoss {
 public:
  CosineSimilarity(const LossEntry& entry, const CosineSimilarityOptions& options)
      : NamedLoss(entry, options), max_score_(options.max_score) {}

  bool reads_targets() const override { return true; }
  double count(const CountInput& input) const override { return static_cast<double>(input.num_targets); }

  at::Tensor sum(const LossInput& input) override {
    const at::Tensor &given = input.student.embedding, &score = input.batch.target;
    if (!score.defined() || score.dim() != 1 || !is_real(given, 2) || given.size(0) != 2 * score.size(0))
      fail(ExitCode::usage, "losses.{}: got embeddings {} and scores {}; expected (2 B, H), (B)", label(),
           outline_of(given), outline_of(score));
    const at::Tensor embedding = at_least_float(given);                        // (2 B, H)
    const at::Tensor pairs = embedding.reshape({-1, 2, embedding.size(-1)});   // (B, 2, H)
    const at::Tensor target = input.batch.target.to(embedding.scalar_type());  // (B)
    check(target);
    const at::Tensor cosine = at::cosine_similarity(pairs.select(1, 0), pairs.select(1, 1), 1);
    return at::sum(at::square(cosine - target / max_score_));
  }

  void check_scores(double least, double largest) const override {
    check(std::max(std::abs(least), std::abs(largest)));
  }

  std::string describe() const override {
    return fmt::format("weight {:g} per pair, scores up to {:g}", weight(), max_score_);
  }

 private:
  // Scores of another scale would silently ask for cosines that there are not.
  void check(const at::Tensor& target) const {
    if (target.numel() > 0) check(target.abs().max().item<double>());
  }
  void check(double largest) const {
    if (!(largest <= max_score_))
      fail(ExitCode::usage, "losses.{}: got the score {:g}, above max_score {:g}; write max_score: {:g}",
           label(), largest, max_score_, largest);
  }

  double max_score_;
};

}  // namespace

LossList make_cosine_similarity_losses(const LossEntry& entry) {
  if (entry.description == nullptr && entry.context.answers != AnswerKind::embedding)
    entry.refuse("compares the embeddings of two texts with their score; it is for task: embed");
  return make_one_loss<CosineSimilarity, CosineSimilarityOptions>(entry);
}

}  // namespace mgd
