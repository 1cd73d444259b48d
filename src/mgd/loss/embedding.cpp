#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include "mgd/core/error.h"
#include "mgd/loss/entry.h"
#include "mgd/nn/layers.h"
#include "mgd/ops/principal_components.h"

namespace mgd {
namespace {

struct EmbeddingOptions : LossOptions {
  std::string distance = "squared";
  std::string align = "auto";
  std::string reduce = "none";
  void visit(OptionVisitor& v) {
    LossOptions::visit(v);
    v.option(
        "distance", distance,
        {.help = "squared distance of the two vectors, or 1 - cosine", .choices = {"squared", "cosine"}});
    v.option("align", align,
             {.help = "linear layer to the teacher's width: where widths differ, or always",
              .choices = {"auto", "always"}});
    v.option(
        "reduce", reduce,
        {.help = "bring the teacher's embedding to the student's width by the principal components of the "
                 "teacher's embeddings of all training texts",
         .choices = {"none", "pca"}});
  }
};

class EmbeddingBlock : public Module {
 public:
  void add_align(std::int64_t in, std::int64_t out, RandomStream& random) {
    align_ = &make_child<Linear>("align", in, out, random);
  }
  void add_components(std::int64_t kept, std::int64_t width) {
    components_ = &add_buffer("components", at::zeros({kept, width}, at::kFloat));
  }

  at::Tensor align(const at::Tensor& x) {  // student's (S, Hs) -> (S, Ht), or (S, Hs) of a reduced teacher
    if (align_ == nullptr) return x;
    Forward forward(/*training=*/true);
    return at_least_float(align_->forward(x, forward));
  }
  at::Tensor reduce(const at::Tensor& x) const {  // teacher's (S, Ht) -> (S, Hs)
    return components_ == nullptr ? x : at::linear(x, components_->to(x.scalar_type()));
  }
  at::Tensor* components() { return components_; }  // (Hs, Ht); nullptr: the teacher's embedding stays

 private:
  Linear* align_ = nullptr;
  at::Tensor* components_ = nullptr;
};

// |e_s - e_t|^2 or 1 - cos(e_s, e_t) of the two sentence embeddings, as both models give them; count: texts.
// Reimers and Gurevych, "Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation",
// equation (1), there with the mean over the vector's elements in place of the sum.
//
// `reduce: pca`: e_t becomes V e_t, the rows of V being the first principal components of the teacher's
// embeddings of the training texts: fitted around their mean, applied without taking it off, as the dense
// layer of sentence-transformers' model_distillation.py. A checkpoint holds V.
class EmbeddingLoss final : public NamedLoss {
 public:
  EmbeddingLoss(const LossEntry& entry, const EmbeddingOptions& options)
      : NamedLoss(entry, options),
        squared_(options.distance == "squared"),
        student_size_(entry.context.embedding_size),
        teacher_size_(entry.context.teacher_embedding_size) {
    const bool reduces = options.reduce == "pca";
    if (reduces && teacher_size_ <= student_size_)
      entry.refuse(fmt::format("reduce: the teacher's embedding of {} is no wider than the student's of {}",
                               teacher_size_, student_size_),
                   "reduce");
    const std::int64_t compared = reduces ? student_size_ : teacher_size_;
    const bool aligns = student_size_ != compared || options.align == "always";
    if (!reduces && !aligns) return;
    block_ = std::make_unique<EmbeddingBlock>();
    RandomStream random(random_key(entry.context.seed, "loss/" + label()), 0, 0);
    if (aligns) block_->add_align(student_size_, compared, random);
    if (reduces) block_->add_components(student_size_, teacher_size_);
  }

  bool needs_teacher() const override { return true; }
  Module* trainable() override { return block_.get(); }
  double count(const CountInput& input) const override {
    MGD_ASSERT(input.batch != nullptr);
    return static_cast<double>(input.batch->tokens.num_sequences());
  }

  bool wants_survey() const override { return reduces(); }
  void survey(const LossInput& input) override { seen_.add(input.teacher.embedding); }
  std::string end_survey() override {
    const PrincipalComponents::Result found = seen_.first(student_size_);
    const at::NoGradGuard no_grad;
    block_->components()->copy_(found.components);
    const std::string line = fmt::format(
        "{}: the first {} principal components of the teacher's {} keep {:.1f} % of the variance "
        "of {} training texts",
        label(), student_size_, teacher_size_, 100 * found.kept_frac, seen_.count());
    seen_ = {};
    return line;
  }

  at::Tensor sum(const LossInput& input) override {
    at::Tensor student = at_least_float(input.student.embedding);
    if (block_) student = block_->align(student);
    at::Tensor teacher = at_least_float(input.teacher.embedding.detach());
    if (block_) teacher = block_->reduce(teacher);
    if (squared_) return at::sum(at::square(student - teacher));
    return at::sum(1 - at::cosine_similarity(student, teacher, 1));
  }

  std::string describe() const override {
    return fmt::format("student ({}) -> teacher ({}){}; weight {:g} per text, {}", student_size_,
                       teacher_size_,
                       reduces() ? fmt::format(" by its first {} principal components", student_size_) : "",
                       weight(), squared_ ? "squared distance" : "1 - cosine");
  }

 private:
  bool reduces() const { return block_ != nullptr && block_->components() != nullptr; }

  bool squared_;
  std::int64_t student_size_, teacher_size_;
  std::unique_ptr<EmbeddingBlock> block_;  // null: both are compared as they are
  PrincipalComponents seen_;               // while a survey lasts
};

}  // namespace

LossList make_embedding_losses(const LossEntry& entry) {
  if (entry.description == nullptr) {
    entry.require_teacher();
    if (entry.context.answers != AnswerKind::embedding || entry.context.teacher_embedding_size == 0)
      entry.refuse("compares the embeddings of sentence encoders; it is for task: embed");
  }
  return make_one_loss<EmbeddingLoss, EmbeddingOptions>(entry);
}

}  // namespace mgd
