// From data and a model to a recipe, where the command names no recipe.
#pragma once

#include <string>
#include <vector>

#include "mgd/train/proposal.h"

namespace mgd {

struct ProposalRequest {
  std::string data;                  // folder, archive or array file
  std::string from;                  // `train`: folder or weights to start from; "" = from scratch
  std::string teacher;               // `distill`: folder or weights
  std::string student;               // architecture; "" = by rule
  std::vector<std::string> changes;  // "data.labels=none": how the data are to be read
};

// Looks into data and models. Throws as opening them does.
ProposalFacts look_for_proposal(const ProposalRequest& request);

// Whether the teacher's classes are those of the data, so that its logits can teach; otherwise it must be
// fine-tuned first. Of pictures without labels there are no other classes than its own.
bool knows_the_classes(const ProposalRequest& request);

}  // namespace mgd
