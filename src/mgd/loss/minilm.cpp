#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/loss/entry.h"
#include "mgd/ops/softmax_kl.h"

namespace mgd {
namespace {

constexpr std::array kRelations = {"query", "key", "value"};

struct RelationOptions : LossOptions {
  std::int64_t student_layer = -1, teacher_layer = -1, relation_heads = 12;
  std::vector<std::string> relations = {"query", "key", "value"};
  void visit(OptionVisitor& v) {
    LossOptions::visit(v);
    v.option("student_layer", student_layer,
             {.help = "whose projections are compared; negative: from the end", .min = -1000, .max = 999});
    v.option("teacher_layer", teacher_layer,
             {.help = "as student_layer, of the teacher", .min = -1000, .max = 999});
    v.option("relation_heads", relation_heads,
             {.help = "heads that the projections are cut into anew; has to divide both widths",
              .min = 1,
              .max = 4096});
    v.option("relations", relations, {.help = "what is compared with itself: query, key, value"});
  }
};

const AttentionNodes& layer_of(const LossEntry& entry, const char* key, std::int64_t layer,
                               const std::vector<AttentionNodes>& layers) {
  const auto count = static_cast<std::int64_t>(layers.size());
  if (count == 0)
    entry.refuse(fmt::format("{}: the model has no layers of attention; minilm is for Transformers", key),
                 key);
  const std::int64_t place = layer < 0 ? count + layer : layer;
  if (place < 0 || place >= count)
    entry.refuse(fmt::format("{}: got {}, expected 0 ... {} or -{} ... -1", key, layer, count - 1, count),
                 key);
  return layers[static_cast<std::size_t>(place)];
}

// Wang et al., "MiniLMv2", 2021, equations (3) to (6): queries, keys and values are cut into relation_heads A
// heads of H / A values; R = softmax(X X^T / sqrt(H / A)) for each head of each document, and the loss is the
// mean over heads and tokens of KL(R of the teacher || R of the student), added over the kinds of relation.
// Count: documents. Projections are taken before rotary positions turn them. Tokens of other documents and
// padding are in no relation. Computed a document and some rows at a time: never a matrix of the whole batch.
class Relations final : public NamedLoss {
 public:
  Relations(const LossEntry& entry, const RelationOptions& options)
      : NamedLoss(entry, options),
        student_(layer_of(entry, "student_layer", options.student_layer, entry.context.student_attention)),
        teacher_(layer_of(entry, "teacher_layer", options.teacher_layer, entry.context.teacher_attention)),
        heads_(options.relation_heads) {
    for (const auto& [whose, nodes] : {std::pair{"student", &student_}, std::pair{"teacher", &teacher_}})
      if (nodes->hidden % heads_ != 0)
        entry.refuse(fmt::format("relation_heads: got {}, which does not divide the {}'s width of {}", heads_,
                                 whose, nodes->hidden),
                     "relation_heads");
    for (const std::string& relation : options.relations) {
      const auto found = std::find(kRelations.begin(), kRelations.end(), relation);
      if (found == kRelations.end())
        entry.refuse(fmt::format("relations: got '{}', expected query, key or value", relation), "relations");
      const std::int64_t kind = found - kRelations.begin();
      if (std::find(kinds_.begin(), kinds_.end(), kind) != kinds_.end())
        entry.refuse(fmt::format("relations: '{}' is there twice; weight makes it count more", relation),
                     "relations");
      kinds_.push_back(kind);
    }
    if (kinds_.empty()) entry.refuse("relations: got none", "relations");
  }

  std::vector<std::string> student_taps() const override { return student_.nodes; }
  std::vector<std::string> teacher_taps() const override { return teacher_.nodes; }
  bool needs_teacher() const override { return true; }
  double count(const CountInput& input) const override {
    MGD_ASSERT(input.batch != nullptr);
    return static_cast<double>(input.batch->tokens.num_sequences());
  }

  at::Tensor sum(const LossInput& input) override {
    const auto& offsets = input.batch.tokens.offsets;
    at::Tensor total;
    for (const std::int64_t kind : kinds_) {
      const at::Tensor student = projection(input.student, student_, kind);
      const at::Tensor teacher = projection(input.teacher, teacher_, kind).detach();
      for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
        const std::int64_t tokens = offsets[s + 1] - offsets[s];
        if (tokens == 0) continue;
        const at::Tensor part =
            divergence(student.narrow(0, offsets[s], tokens), teacher.narrow(0, offsets[s], tokens)) *
            (1.0 / static_cast<double>(heads_ * tokens));
        total = total.defined() ? total + part : part;
      }
    }
    return total.defined() ? total : at::zeros({}, at::kFloat);
  }

  std::string describe() const override {
    return fmt::format("student {} -> teacher {}; weight {:g} per document, {} heads, {} kinds of relation",
                       student_.nodes.front(), teacher_.nodes.front(), weight(), heads_, kinds_.size());
  }

 private:
  static at::Tensor projection(const Record& record, const AttentionNodes& nodes, std::int64_t kind) {
    if (nodes.nodes.size() == 1)
      return at_least_float(
          record.nodes.at(nodes.nodes[0]).data.narrow(1, kind * nodes.hidden, nodes.hidden));
    return at_least_float(record.nodes.at(nodes.nodes.at(static_cast<std::size_t>(kind))).data);
  }

  at::Tensor heads_of(const at::Tensor& x) const {  // (T, H) -> (A, T, H / A)
    return x.reshape({x.size(0), heads_, x.size(1) / heads_}).transpose(0, 1);
  }

  // Over heads and tokens of one document.
  at::Tensor divergence(const at::Tensor& student, const at::Tensor& teacher) const {
    constexpr std::int64_t kScores = 1 << 22;  // held at a time
    const at::Tensor s = heads_of(student), t = heads_of(teacher);
    const std::int64_t tokens = s.size(1);
    const std::int64_t rows = std::max<std::int64_t>(1, kScores / (heads_ * tokens));
    at::Tensor total;
    for (std::int64_t first = 0; first < tokens; first += rows) {
      const std::int64_t count = std::min(rows, tokens - first);
      const auto scores = [&](const at::Tensor& x) {  // (A count, T)
        const double scale = 1 / std::sqrt(static_cast<double>(x.size(2)));
        return (at::matmul(x.narrow(1, first, count), x.transpose(1, 2)) * scale).reshape({-1, tokens});
      };
      const at::Tensor part = softmax_kl(scores(s), scores(t), /*temperature=*/1);
      total = total.defined() ? total + part : part;
    }
    return total;
  }

  const AttentionNodes student_, teacher_;
  const std::int64_t heads_;
  std::vector<std::int64_t> kinds_;  // places in kRelations
};

}  // namespace

LossList make_minilm_losses(const LossEntry& entry) {
  if (entry.description == nullptr) entry.require_teacher();
  return make_one_loss<Relations, RelationOptions>(entry);
}

}  // namespace mgd
