#include "mgd/loss/mgd_options.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/logical_not.h>
#include <ATen/ops/sum.h>

#include <algorithm>

namespace mgd {

void GenerativeOptions::visit(OptionVisitor& v) {
  AlignedOptions::visit(v);
  v.option("weight_on", weight_on,
           {.help = "weight is on the mean over elements, or on the sum over a sample as published",
            .choices = {"mean", "sum"}});
  v.option("on", on,
           {.help = "compare the whole map, or hidden positions only", .choices = {"all", "hidden"}});
  v.option("fill", fill,
           {.help = "what stands at hidden places: zero or a learned token", .choices = {"zero", "token"}});
  v.option(
      "target", target,
      {.help = "the teacher's features as they are; each channel of a map with mean 0 and deviation 1 over "
               "the step; or turned and scaled by PHI-S, so that each dimension has variance 1 over the "
               "training samples",
       .choices = {"teacher", "standardized", "phi_s"}});
  v.option("skip", skip,
           {.help = "leave out the arithmetic on what is hidden: where that is faster, always, or never",
            .choices = {"auto", "always", "never"}});
  v.option("generator", generator,
           {.help = "the block: two convolutions of width 3, or, of rows, one layer of a Transformer",
            .choices = {"conv", "transformer"}});
  v.option("generator_heads", generator_heads,
           {.help = "heads of that layer; 0: as many as the teacher's attention has", .min = 0, .max = 4096});
  v.option("winograd", winograd,
           {.help = "the second convolution of the block by Winograd's F(4x4, 3x3): faster, with errors of "
                    "some 1e-5 of the largest value"});
}

SkipHidden GenerativeOptions::skip_hidden() const {
  if (skip == "never") return SkipHidden::never;
  return skip == "always" ? SkipHidden::always : SkipHidden::automatic;
}

const std::vector<std::string>& mask_keys() {
  static const std::vector<std::string> keys = {"mask", "mask_ratio", "mask_ratio_end", "size", "exact"};
  return keys;
}

at::Tensor drawn_mask_token(at::IntArrayRef shape, RandomStream& random) {
  at::Tensor token = at::empty(shape, at::kFloat);
  float* data = token.mutable_data_ptr<float>();
  for (std::int64_t c = 0; c < token.numel(); ++c) data[c] = static_cast<float>(0.02 * random.normal());
  return token;
}

namespace {

// The mask that the entry asks for, of the node that is masked: the aligned one. Fields are copied whole,
// with the places of their keys, so that a complaint about them points into the recipe.
Loss::MaskRequest mask_request_of(const LossEntry& entry, const NodeInfo& node) {
  Loss::MaskRequest request{.options = Node::make_map(), .node = node};
  request.options.origin = entry.node.origin;
  for (const auto& field : entry.node.fields)
    if (std::find(mask_keys().begin(), mask_keys().end(), field.first) != mask_keys().end())
      request.options.fields.push_back(field);
  // The whole rows of a text are what the positions of a map are.
  if (node.axes == Axes::rows && request.options.find("mask") == nullptr)
    request.options.set("mask", Node::make_scalar("token"));
  return request;
}

// Hidden ones of all elements, by a mask that broadcasts to the node.
double hidden_elements(const at::Tensor& keep, double elements) {
  if (!keep.defined() || keep.numel() == 0) return 0;
  // Each value of the mask stands for this many elements.
  const double elements_each = elements / static_cast<double>(keep.numel());
  return at::sum(at::logical_not(keep)).item<double>() * elements_each;
}

}  // namespace

GenerativeLoss::GenerativeLoss(const LossEntry& entry, TapPair pair, const GenerativeOptions& options)
    : FeatureLoss(std::move(pair), options),
      on_mean_(options.weight_on == "mean"),
      on_hidden_(options.on == "hidden"),
      fill_(options.fill),
      request_(mask_request_of(entry, taps().teacher_info)) {
  request_.compares_hidden = on_hidden_;
}

double GenerativeLoss::count(const CountInput& input) const {
  if (!on_mean_) return static_cast<double>(input.batch_size);
  return on_hidden_ ? hidden_elements(input.keep, num_elements(input)) : num_elements(input);
}

std::string GenerativeLoss::describe_generation(const char* unit) const {
  return fmt::format("{}; {}; on {}, fill {}", describe_taps(),
                     describe_weight(on_mean_, taps().teacher_elements(), unit),
                     on_hidden_ ? "hidden" : "all", fill_);
}

}  // namespace mgd
