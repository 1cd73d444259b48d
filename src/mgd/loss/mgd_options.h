// What an `mgd` entry of a recipe says, whether its nodes are maps or rows.
#pragma once

#include <string>
#include <vector>

#include "mgd/loss/feature.h"
#include "mgd/ops/masked_conv.h"

namespace mgd {

struct GenerativeOptions : AlignedOptions {
  std::string weight_on = "mean";
  std::string on = "all";
  std::string fill = "zero";
  std::string target = "teacher";
  std::string skip = "auto";
  bool winograd = false;
  void visit(OptionVisitor& v);

  SkipHidden skip_hidden() const;
  bool standardises() const { return target == "standardized"; }
};

// Keys of the entry that its mask reads.
const std::vector<std::string>& mask_keys();

// The mask that the entry asks for, of the node that is masked: the aligned one. Fields are copied whole,
// with the places of their keys, so that a complaint about them points into the recipe.
Loss::MaskRequest mask_request_of(const LossEntry& entry, const NodeInfo& node);

// What hidden elements of all of them are, by a mask that broadcasts to the node.
double hidden_elements(const at::Tensor& keep, double elements);

// MGD on rows; see loss/mgd_rows.cpp.
std::unique_ptr<Loss> make_row_generative(const LossEntry& entry, TapPair taps,
                                          const GenerativeOptions& options);

}  // namespace mgd
