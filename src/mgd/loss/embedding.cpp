#include <ATen/TensorOperators.h>
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>

#include "mgd/core/error.h"
#include "mgd/loss/entry.h"
#include "mgd/nn/layers.h"

namespace mgd {
namespace {

struct EmbeddingOptions : LossOptions {
  std::string distance = "squared";
  std::string align = "auto";
  void visit(OptionVisitor& v) {
    LossOptions::visit(v);
    v.option(
        "distance", distance,
        {.help = "squared distance of the two vectors, or 1 - cosine", .choices = {"squared", "cosine"}});
    v.option("align", align,
             {.help = "linear layer to the teacher's width: where widths differ, or always",
              .choices = {"auto", "always"}});
  }
};

class EmbeddingBlock : public Module {
 public:
  EmbeddingBlock(std::int64_t in, std::int64_t out, RandomStream& random)
      : align_(make_child<Linear>("align", in, out, random)) {}
  at::Tensor align(const at::Tensor& x) {  // (S, Hs) -> (S, Ht)
    Forward forward(/*training=*/true);
    return at_least_float(align_.forward(x, forward));
  }

 private:
  Linear& align_;
};

// |e_s - e_t|^2 or 1 - cos(e_s, e_t) of the two sentence embeddings, as both models give them; count: texts.
// Reimers and Gurevych, "Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation",
// equation (1), there with the mean over the vector's elements in place of the sum.
class EmbeddingLoss final : public NamedLoss {
 public:
  EmbeddingLoss(const LossEntry& entry, const EmbeddingOptions& options)
      : NamedLoss(entry, options),
        squared_(options.distance == "squared"),
        student_size_(entry.context.embedding_size),
        teacher_size_(entry.context.teacher_embedding_size) {
    if (student_size_ == teacher_size_ && options.align != "always") return;
    RandomStream random(random_key(entry.context.seed, "loss/" + label()), 0, 0);
    block_ = std::make_unique<EmbeddingBlock>(student_size_, teacher_size_, random);
  }

  bool needs_teacher() const override { return true; }
  Module* trainable() override { return block_.get(); }
  double count(const CountInput& input) const override {
    MGD_ASSERT(input.batch != nullptr);
    return static_cast<double>(input.batch->tokens.num_sequences());
  }

  at::Tensor sum(const LossInput& input) override {
    at::Tensor student = at_least_float(input.student.embedding);
    if (block_) student = block_->align(student);
    const at::Tensor teacher = at_least_float(input.teacher.embedding.detach());
    if (squared_) return at::sum(at::square(student - teacher));
    return at::sum(1 - at::cosine_similarity(student, teacher, 1));
  }

  std::string describe() const override {
    return fmt::format("student ({}) -> teacher ({}); weight {:g} per text, {}", student_size_, teacher_size_,
                       weight(), squared_ ? "squared distance" : "1 - cosine");
  }

 private:
  bool squared_;
  std::int64_t student_size_, teacher_size_;
  std::unique_ptr<EmbeddingBlock> block_;  // null: the widths are one
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
