// Losses as (sum, count) pairs.
//
// The count of a micro-batch is known without a forward pass, so the total of a whole optimizer step is known
// first and there is exactly one division: step loss = weight * (sum over micro-batches of sum) / (sum over
// them of count). k micro-batches with uneven masks then give the same update as one batch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mgd/format/options.h"
#include "mgd/nn/module.h"
#include "mgd/types/batch.h"

namespace mgd {

struct LossInput {
  const Batch& batch;
  const Record& student;
  const Record& teacher;  // no gradient; empty when there is no teacher
  at::Tensor keep;        // bool, broadcasts to the aligned node; undefined when the loss asked for no mask
};

// What a loss may know before any forward pass.
struct CountInput {
  std::int64_t batch_size = 0;  // B
  std::int64_t num_targets =
      0;            // n of Batch::target; language models: often not B, and 0 when nothing is hidden
  at::Tensor keep;  // as in LossInput
  const Batch* batch = nullptr;  // for losses on rows, which count tokens
};

using Maps = std::map<std::string, at::Tensor>;  // title -> (B, C, Y, X)

// What a loss must see at once. `sample`: its sum is one over samples, so micro-batches may come one after
// the other. `step`: it relates samples to each other, so it is asked once a step, with all of them joined.
enum class Scope { sample, step };

class Loss {
 public:
  virtual ~Loss() = default;
  virtual Scope scope() const { return Scope::sample; }
  virtual const std::string& label()
      const = 0;  // unique in a run, e.g. "mgd" or "mgd.layer3"; key in metrics
  virtual double weight() const = 0;
  // Epochs over which the weight rises: in epoch e = 1, 2, ... it is weight() * min(e / warmup_epochs(), 1).
  virtual double warmup_epochs() const { return 0; }

  virtual std::vector<std::string> student_taps() const { return {}; }
  virtual std::vector<std::string> teacher_taps() const { return {}; }
  virtual bool needs_teacher() const { return false; }
  virtual bool reads_targets() const { return false; }         // labels, scores or tokens of the data
  virtual bool reads_teacher_logits() const { return false; }  // which are then of the student's classes
  // Of such a loss: the temperature at which the scores of a language model are compared, where only the
  // largest of them are kept.
  virtual double temperature() const { return 1; }

  // The mask this loss wants drawn each step, as its recipe entry ({mask, mask_ratio, ...}), and the node it
  // acts on; nullptr when it wants none. The trainer draws it: a loss never samples.
  struct MaskRequest {
    Node options;
    NodeInfo node;
    bool compares_hidden = false;  // nothing else: with nothing hidden there is no loss
  };
  virtual const MaskRequest* mask_request() const { return nullptr; }
  // How much each position asks to be hidden, as logarithms of weights up to a constant: (B, Y*X) double,
  // without gradient; undefined when the mask does not depend on features. input.keep is not set yet.
  virtual at::Tensor mask_scores(const LossInput& /*input*/) { return {}; }

  // A loss that must know the teacher's answers to all training samples before the first step: survey() is
  // given them batch by batch (no student), then end_survey(), which gives a line for the console, or "".
  // What it learns it keeps in buffers of trainable(), which a checkpoint holds.
  virtual bool wants_survey() const { return false; }
  virtual void survey(const LossInput& /*input*/) {}
  virtual std::string end_survey() { return {}; }

  // A loss that remembers samples of earlier steps: begin_step() before the first batch of a step, see() of
  // each batch, also when there is nothing to count, end_step() when the update was made. What it remembers
  // are buffers of trainable(), which a checkpoint holds; memory() says what that is.
  virtual bool remembers() const { return false; }
  virtual void begin_step() {}
  virtual void see(const LossInput& /*input*/) {}
  virtual void end_step() {}
  virtual std::string memory() const { return {}; }

  // Of a micro-batch, or of the whole step by scope().
  virtual double count(const CountInput& input) const = 0;
  virtual at::Tensor sum(const LossInput& input) = 0;  // scalar, float or double; unweighted

  // Told before the first step between which numbers the scores of the training pairs lie. Error(usage) for
  // those that this loss cannot ask of a cosine.
  virtual void check_scores(double /*least*/, double /*largest*/) const {}

  // Blocks that train along with the student and are thrown away afterwards; nullptr when there are none.
  virtual Module* trainable() { return nullptr; }

  // One line for the resolved table: taps with shapes, weight as given and per element.
  virtual std::string describe() const { return {}; }

  // What the report draws: maps by name (e.g. "aligned", "masked", "generated", "teacher"), each (B, C, Y,
  // X); empty when there is nothing to see. Called without gradient.
  virtual Maps illustrate(const LossInput&) { return {}; }
};

struct LossEntry;  // loss/entry.h
using LossList = std::vector<std::unique_ptr<Loss>>;
using LossFactory = LossList (*)(const LossEntry& entry);

// A loss that a program brings along; `losses:` names it like any other.
struct OwnLoss {
  std::string name;
  LossFactory make = nullptr;  // make_one_loss<TYPE, OPTIONS> where an entry gives one loss
  // A checkpoint of another version is not resumed: change it with what the loss computes.
  std::string version = "1";
};

// Null: none of that name.
const OwnLoss* find_own(std::span<const OwnLoss> own, const std::string& name);

// Throws Error(usage): one without a name or a function, a name twice, or that of a loss of the library.
void check_own(std::span<const OwnLoss> own);

// What a loss is built from. Shapes are of one sample.
struct LossContext {
  NodeInfos student;  // every node of the student
  NodeInfos teacher;  // every node of the teacher; empty when there is none
  std::string student_default_tap;
  std::string teacher_default_tap;
  std::vector<AttentionNodes> student_attention, teacher_attention;  // a layer each
  std::int64_t num_classes = 0;
  std::int64_t num_samples = 0;                                 // to train on; 0: not known
  AnswerKind answers = AnswerKind::classes;                     // of the student
  std::int64_t embedding_size = 0, teacher_embedding_size = 0;  // H of sentence encoders
  std::uint64_t seed = 0;                                       // initialisation of the loss's own blocks
  bool winograd = false;              // for blocks of losses whose entry does not say
  bool skip_hidden = true;            // false: no loss leaves anything out, whatever its entry says
  std::span<const OwnLoss> own = {};  // of the program, beside those of the library
};

// A recipe entry gives one loss, or one for each of its taps. Throws Error(usage) with the entry's place for
// an unknown name, option or tap (nearest named), for shapes that do not fit, and for a loss that needs a
// teacher and has none.
std::vector<std::unique_ptr<Loss>> make_losses(const Node& entry, const LossContext& context);
std::vector<std::string> known_losses();

}  // namespace mgd
