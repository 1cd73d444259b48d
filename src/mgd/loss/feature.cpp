#include "mgd/loss/feature.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/std.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "mgd/core/error.h"

namespace mgd {

void FeatureOptions::visit(OptionVisitor& v) {
  LossOptions::visit(v);
  visit_taps(v);
  v.option("resize", resize,
           {.help = "resize the student's map (bilinear) to the teacher's height and width"});
}

void FeatureOptions::visit_taps(OptionVisitor& v) {
  v.option("student_tap", student_tap, {.help = "node of the student, or several; default: its last stage"});
  v.option("teacher_tap", teacher_tap, {.help = "node of the teacher, as many as student_tap"});
}

void AlignedOptions::visit(OptionVisitor& v) {
  FeatureOptions::visit(v);
  v.option("align", align,
           {.help = "1x1 convolution to the teacher's channels: where they differ, or always",
            .choices = {"auto", "always"}});
}

namespace {

std::string text_of(const TapShape& shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

TapShape shape_of(const LossEntry& entry, const char* key, const std::string& tap, const TapShapes& shapes,
                  const TapRules& rules) {
  const auto found = shapes.find(tap);
  if (found == shapes.end()) {
    std::vector<std::string> known;
    for (const auto& [name, shape] : shapes) known.push_back(name);
    entry.refuse(fmt::format("{}: no node '{}'{}", key, tap, suggestion(tap, known)), key);
  }
  if (rules.vectors && found->second.size() == 1) return {found->second[0], 1, 1};
  if (found->second.size() != 3)
    entry.refuse(fmt::format("{}: node '{}' has shape {}, expected a map (C, Y, X){}", key, tap,
                             text_of(found->second), rules.vectors ? " or a vector (C)" : ""),
                 key);
  return found->second;
}

struct TapNames {
  std::vector<std::string> student, teacher;
};

TapNames names_of(const LossEntry& entry, const FeatureOptions& options) {
  TapNames names{options.student_tap, options.teacher_tap};
  if (names.student.empty() && names.teacher.empty())
    return {{entry.context.student_default_tap}, {entry.context.teacher_default_tap}};
  if (names.teacher.empty()) names.teacher = names.student;
  if (names.student.empty()) names.student = names.teacher;
  if (names.student.size() != names.teacher.size())
    entry.refuse(fmt::format("got {} student_tap and {} teacher_tap, expected as many of both",
                             names.student.size(), names.teacher.size()),
                 "teacher_tap");
  return names;
}

std::string label_of(const std::string& base, const TapNames& names, std::size_t i) {
  if (names.student.size() == 1) return base;
  const bool repeated = std::count(names.student.begin(), names.student.end(), names.student[i]) > 1;
  return base + "." + names.student[i] + (repeated ? "-" + names.teacher[i] : "");
}

void check_pair(const LossEntry& entry, const FeatureOptions& options, const TapPair& taps) {
  if (taps.same_size() || options.resize) return;
  entry.refuse(
      fmt::format(
          "student '{}' is {} and teacher '{}' is {}, expected the same height and width; choose other taps "
          "or set resize: true",
          taps.student, text_of(taps.student_shape), taps.teacher, text_of(taps.teacher_shape)),
      "student_tap");
}

const at::Tensor& tap_of(const Features& features, const std::string& name) {
  const auto found = features.find(name);
  MGD_ASSERT(found != features.end() && found->second.defined());
  return found->second;
}

at::Tensor map_of(const Features& features, const std::string& name, const TapShape& shape) {
  at::Tensor map = at_least_float(tap_of(features, name));
  if (map.dim() == 2) map = map.unsqueeze(-1).unsqueeze(-1);
  MGD_ASSERT(map.dim() == 4 && map.size(1) == shape[0] && map.size(2) == shape[1] && map.size(3) == shape[2]);
  return map;
}

}  // namespace

std::vector<TapPair> resolve_taps(const LossEntry& entry, const FeatureOptions& options,
                                  const TapRules& rules) {
  const LossContext& context = entry.context;
  if (context.teacher.empty()) entry.refuse("needs a teacher, and the recipe has none");
  const TapNames names = names_of(entry, options);
  const std::string base = options.label.empty() ? entry.name : options.label;
  std::vector<TapPair> pairs;
  for (std::size_t i = 0; i < names.student.size(); ++i) {
    TapPair taps{.label = label_of(base, names, i),
                 .student = names.student[i],
                 .teacher = names.teacher[i],
                 .student_shape = shape_of(entry, "student_tap", names.student[i], context.student, rules),
                 .teacher_shape = shape_of(entry, "teacher_tap", names.teacher[i], context.teacher, rules)};
    if (!rules.any_size) check_pair(entry, options, taps);
    for (const TapPair& other : pairs)
      if (other.label == taps.label)
        entry.refuse(fmt::format("student '{}' meets teacher '{}' twice", taps.student, taps.teacher),
                     "student_tap");
    pairs.push_back(std::move(taps));
  }
  return pairs;
}

AlignBlock::AlignBlock(const TapPair& taps, const AlignedOptions& options, RandomStream& random) {
  const std::int64_t in = taps.student_shape[0], out = taps.teacher_shape[0];
  if (in == out && options.align != "always") return;
  align_ =
      &make_child<Conv2d>("align", Conv2dOptions{.in = in, .out = out, .kernel = 1, .bias = true}, random);
}

at::Tensor AlignBlock::align(const at::Tensor& student) {
  if (align_ == nullptr) return student;
  Forward forward(/*training=*/true);
  return at_least_float(align_->forward(student, forward));
}

at::Tensor student_map_of(const TapPair& taps, const LossInput& input, bool as_it_is) {
  const at::Tensor map = map_of(input.student, taps.student, taps.student_shape);
  if (as_it_is || taps.same_size()) return map;
  return at::upsample_bilinear2d(map, {taps.teacher_shape[1], taps.teacher_shape[2]},
                                 /*align_corners=*/false);
}

at::Tensor teacher_map_of(const TapPair& taps, const LossInput& input) {
  return map_of(input.teacher, taps.teacher, taps.teacher_shape).detach();
}

at::Tensor student_embedding(const TapPair& taps, const LossInput& input) {
  return at::mean(student_map_of(taps, input, /*as_it_is=*/true), {2, 3});
}

at::Tensor teacher_embedding(const TapPair& taps, const LossInput& input) {
  return at::mean(teacher_map_of(taps, input), {2, 3});
}

std::string taps_text(const TapPair& taps, bool as_it_is) {
  return fmt::format("student {} {} -> teacher {} {}{}", taps.student, text_of(taps.student_shape),
                     taps.teacher, text_of(taps.teacher_shape),
                     as_it_is || taps.same_size() ? "" : " resized");
}

at::Tensor standardised_channels(const at::Tensor& map) {
  constexpr std::array<std::int64_t, 3> over = {0, 2, 3};
  const at::Tensor centred = map - at::mean(map, over, /*keepdim=*/true);
  if (map.numel() <= map.size(1)) return centred;  // one value a channel: 0 / 1e-6
  return centred / (at::std(map, over, /*unbiased=*/true, /*keepdim=*/true) + 1e-6);
}

std::string FeatureLoss::describe_weight(bool on_mean, double num_units, const char* unit) const {
  const double on_sum = on_mean ? weight() / num_units : weight();
  return fmt::format("weight {:g} on the {} (= {:.3g} on the {} over {:g} {})", weight(),
                     on_mean ? "mean" : "sum", on_mean ? on_sum : on_sum * num_units,
                     on_mean ? "sum" : "mean", num_units, unit);
}

RandomStream init_stream(const LossEntry& entry, const TapPair& taps) {
  return {random_key(entry.context.seed, "loss/" + taps.label), 0, 0};
}

AlignedLoss::AlignedLoss(const LossEntry& entry, TapPair taps, const AlignedOptions& options)
    : FeatureLoss(std::move(taps), options) {
  RandomStream random = init_stream(entry, this->taps());
  block_ = std::make_unique<AlignBlock>(this->taps(), options, random);
}

}  // namespace mgd
