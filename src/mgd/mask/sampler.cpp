#include "mgd/mask/sampler.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/mask/units.h"

namespace mgd {

namespace {

struct BuiltinSampler {
  const char* name;
  std::unique_ptr<MaskSampler> (*make)(const MaskOptions& options);
  bool of_maps, of_rows;  // which have its units
};

constexpr BuiltinSampler kSamplers[] = {
    {"channel", make_channel_sampler, true, true},     {"spatial", make_spatial_sampler, true, false},
    {"element", make_element_sampler, true, true},     {"token", make_token_sampler, false, true},
    {"block", make_block_sampler, true, true},         {"student", make_importance_sampler, true, false},
    {"teacher", make_importance_sampler, true, false},
};

}  // namespace

void MaskOptions::visit(OptionVisitor& v) {
  v.option("mask", mask,
           {.help = "what is hidden as a unit; in the loss mgd also: the positions that matter to student or "
                    "teacher",
            .choices = known_samplers()});
  v.option("mask_ratio", mask_ratio, {.help = "expected hidden fraction", .min = 0, .max = 1});
  v.option("mask_ratio_end", mask_ratio_end,
           {.help = "hidden fraction at the end of the run, linearly from mask_ratio; -1: constant",
            .min = -1,
            .max = 1});
  v.option("size", size,
           {.help = "edge of a block, in positions of a map or tokens", .min = 1, .max = 65536});
  v.option("exact", exact,
           {.help = "hide round(mask_ratio * n) of the n units instead of drawing each by itself"});
}

double MaskOptions::ratio_at(double progress_frac) const {
  if (mask_ratio_end < 0) return mask_ratio;
  const double t = std::clamp(progress_frac, 0.0, 1.0);
  // Rounding may leave [0, 1] by one unit in the last place.
  return std::clamp((1 - t) * mask_ratio + t * mask_ratio_end, 0.0, 1.0);
}

std::unique_ptr<MaskSampler> make_sampler(const MaskOptions& options) {
  for (const BuiltinSampler& sampler : kSamplers)
    if (options.mask == sampler.name) return sampler.make(options);
  fail(ExitCode::usage, "mask: unknown sampler '{}'{}", options.mask,
       suggestion(options.mask, known_samplers()));
}

bool chooses_by_scores(const std::string& mask) {
  return mask == "student" || mask == "teacher";
}

std::vector<std::string> samplers_for(Axes axes) {
  std::vector<std::string> names;
  for (const auto& sampler : kSamplers)
    if (axes == Axes::rows ? sampler.of_rows : sampler.of_maps) names.emplace_back(sampler.name);
  return names;
}

std::vector<std::string> known_samplers() {
  std::vector<std::string> names;
  for (const auto& sampler : kSamplers) names.emplace_back(sampler.name);
  return names;
}

}  // namespace mgd
