// A recipe where the user wrote none: chosen by rules that are said, and written down for editing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mgd/format/config.h"
#include "mgd/train/propose_taps.h"

namespace mgd {

// What the rules look at.
struct ProposalFacts {
  std::string data;     // as the recipe shall name it
  ModelConfig given;    // the teacher, or the model that training starts from; empty: from scratch
  bool answers = true;  // whether it has a classifier
  std::int64_t given_parameters = 0, given_macs = 0;  // macs: of one picture of side x side
  std::int64_t pictures = 0;                          // for training
  bool labelled = true;
  std::int64_t side = 0;             // of the square that the given model, or the student, wants to see
  std::string student;               // architecture that the user asked for; "" = by rule
  std::optional<ProposedTaps> taps;  // of proposed_student() and the given teacher
};

struct ProposedStudent {
  std::string architecture;
  double width = 1;
  std::int64_t side = 0;  // of the square that it sees
  bool dearer = false;    // it computes more than the teacher: no smaller one is known
};
// The one that was asked for, else the largest of its kind with at most a third of the teacher's parameters
// and half of its multiply-accumulates.
ProposedStudent proposed_student(const ProposalFacts& facts);

struct Choice {
  std::string key, why;  // "train.epochs", "some 80,000 pictures seen in all: ..."
};

struct Proposal {
  Node recipe;
  std::vector<Choice> choices;  // in the order of the recipe

  std::string to_yaml() const;  // each choice is told beside its key
};

// `mgd train DATA [--from WEIGHTS]`: fine-tuning where weights are given, else training from scratch.
Proposal propose_training(const ProposalFacts& facts);
// `mgd distill DATA --teacher MODEL`: the teacher has the classes of the data.
Proposal propose_distillation(const ProposalFacts& facts);

}  // namespace mgd
