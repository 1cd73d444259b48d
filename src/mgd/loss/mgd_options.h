// What an `mgd` entry of a recipe says and counts, whether its nodes are maps or rows.
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
  std::string generator = "conv";
  std::int64_t generator_heads = 0;
  bool winograd = false;
  void visit(OptionVisitor& v);

  SkipHidden skip_hidden() const;
  bool standardises() const { return target == "standardized"; }  // over a step
  bool by_phi_s() const { return target == "phi_s"; }
};

// Keys of the entry that its mask reads.
const std::vector<std::string>& mask_keys();

// A learned mask token of this shape, from the deviation of those in BERT and MAE.
at::Tensor drawn_mask_token(at::IntArrayRef shape, RandomStream& random);

// What both forms share. Count: samples for `weight_on: sum` (the published weights), compared elements for
// `mean`.
class GenerativeLoss : public FeatureLoss {
 public:
  GenerativeLoss(const LossEntry& entry, TapPair pair, const GenerativeOptions& options);
  const MaskRequest* mask_request() const override { return &request_; }
  double count(const CountInput& input) const override;

 protected:
  bool on_hidden() const { return on_hidden_; }
  // `unit`: what the mean of the weight is over.
  std::string describe_generation(const char* unit) const;

 private:
  bool on_mean_, on_hidden_;
  std::string fill_;
  MaskRequest request_;
};

// MGD on rows by two convolutions; see loss/mgd_rows.cpp.
std::unique_ptr<Loss> make_row_generative(const LossEntry& entry, TapPair taps,
                                          const GenerativeOptions& options);
// MGD on rows by one layer of a Transformer; see loss/mgd_transformer.cpp. Error(usage) for heads that do not
// fit.
std::unique_ptr<Loss> make_transformer_generative(const LossEntry& entry, TapPair taps,
                                                  const GenerativeOptions& options);

}  // namespace mgd
