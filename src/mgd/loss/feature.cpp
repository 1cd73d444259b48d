#include "mgd/loss/feature.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/std.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/zeros.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "mgd/core/error.h"
#include "mgd/format/idle_options.h"
#include "mgd/ops/argument.h"
#include "mgd/ops/phi_s.h"

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
  visit_align(v);
}

void AlignedOptions::visit_align(OptionVisitor& v) {
  v.option(
      "align", align,
      {.help = "1x1 convolution (of vectors and rows: linear layer) to the teacher's width: where widths "
               "differ, or always",
       .choices = {"auto", "always"}});
}

void TargetOptions::visit(OptionVisitor& v) {
  AlignedOptions::visit(v);
  v.option(
      "target", target,
      {.help =
           "the teacher's features as they are, or turned and scaled by PHI-S, so that each dimension has "
           "variance 1 over the training samples",
       .choices = {"teacher", "phi_s"}});
}

namespace {

const NodeInfo& info_of(const LossEntry& entry, const char* key, const std::string& tap,
                        const NodeInfos& nodes) {
  const auto found = nodes.find(tap);
  if (found == nodes.end()) {
    std::vector<std::string> known;
    for (const auto& [name, info] : nodes) known.push_back(name);
    entry.refuse(fmt::format("{}: no node '{}'{}", key, tap, suggestion(tap, known)), key);
  }
  return found->second;
}

// What the rules allow, and a vector as the map that it counts as.
NodeInfo comparable(const LossEntry& entry, const char* key, const std::string& tap, const NodeInfos& nodes,
                    const TapRules& rules) {
  const NodeInfo& info = info_of(entry, key, tap, nodes);
  if (rules.vectors && info.axes == Axes::vector)
    return {.axes = Axes::map, .sizes = {info.sizes.at(0), 1, 1}};
  if (info.axes == Axes::map || (rules.rows && info.axes == Axes::rows)) return info;
  std::string expected = axes_name(Axes::map);
  if (rules.rows) expected += fmt::format(" or {}", axes_name(Axes::rows));
  if (rules.vectors) expected += fmt::format(" or {}", axes_name(Axes::vector));
  entry.refuse(
      fmt::format("{}: node '{}' has shape {}{}, expected {}", key, tap, sizes_text(info.sizes),
                  info.axes == Axes::other ? "" : fmt::format(", {}", axes_name(info.axes)), expected),
      key);
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

void check_pair(const LossEntry& entry, const TapPair& taps, const NodeInfo& student, bool any_size) {
  const NodeInfo& teacher = taps.teacher_info;
  if (student.axes != teacher.axes)
    entry.refuse(fmt::format("student '{}' has {} and teacher '{}' {}, expected the same of both",
                             taps.student, axes_name(student.axes), taps.teacher, axes_name(teacher.axes)),
                 "student_tap");
  if (student.of_decoder != teacher.of_decoder)
    entry.refuse(fmt::format("one of student '{}' and teacher '{}' is of a decoder and one of an encoder: "
                             "their rows are of other tokens",
                             taps.student, taps.teacher),
                 "student_tap");
  if (any_size || taps.same_size()) return;
  entry.refuse(
      fmt::format(
          "student '{}' is {} and teacher '{}' is {}, expected the same height and width; choose other taps "
          "or set resize: true",
          taps.student, sizes_text(taps.student_shape), taps.teacher, sizes_text(taps.teacher_shape)),
      "student_tap");
}

// The values of `whose` at a tap, as they were said to be when the loss was made; a vector as a map.
at::Tensor map_of(const Record& record, const std::string& name, const std::vector<std::int64_t>& sizes,
                  const std::string& label, const char* whose) {
  const auto found = record.nodes.find(name);
  if (found == record.nodes.end() || !found->second.data.defined()) {
    std::vector<std::string> known;
    for (const auto& [tap, value] : record.nodes) known.push_back(tap);
    fail(ExitCode::usage, "losses.{}: the {}'s features lack the tap '{}'{}", label, whose, name,
         suggestion(name, known));
  }
  const at::Tensor& given = found->second.data;
  const bool as_vector = given.dim() == 2 && sizes.size() == 3;
  const at::Tensor data = as_vector ? given.unsqueeze(-1).unsqueeze(-1) : given;
  const auto dimensions = static_cast<std::int64_t>(sizes.size()) + 1;
  if (!is_real(data, dimensions) || data.sizes().slice(1) != at::IntArrayRef(sizes))
    refuse("losses." + label, fmt::format("{} of the {}", name, whose), given,
           fmt::format("numbers ({}, {})", sizes.size() == 1 ? "N" : "B", fmt::join(sizes, ", ")));
  return at_least_float(data);
}

}  // namespace

std::vector<TapPair> resolve_taps(const LossEntry& entry, const FeatureOptions& options,
                                  const TapRules& rules) {
  const LossContext& context = entry.context;
  entry.require_teacher();
  const TapNames names = names_of(entry, options);
  const std::string base = options.label.empty() ? entry.name : options.label;
  std::vector<TapPair> pairs;
  for (std::size_t i = 0; i < names.student.size(); ++i) {
    const NodeInfo student = comparable(entry, "student_tap", names.student[i], context.student, rules);
    const NodeInfo teacher = comparable(entry, "teacher_tap", names.teacher[i], context.teacher, rules);
    TapPair taps{.label = label_of(base, names, i),
                 .student = names.student[i],
                 .teacher = names.teacher[i],
                 .student_shape = student.sizes,
                 .teacher_shape = teacher.sizes,
                 .teacher_info = teacher};
    check_pair(entry, taps, student, rules.any_size || options.resize);
    refuse_idle(entry.node, entry.where(), options,
                {{"resize", taps.rows(),
                  fmt::format("'{}' has rows, which have neither height nor width", taps.teacher)}});
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
  if (taps.rows())
    rows_ = &make_child<Linear>("align", in, out, random);
  else
    maps_ =
        &make_child<Conv2d>("align", Conv2dOptions{.in = in, .out = out, .kernel = 1, .bias = true}, random);
}

void AlignBlock::standardise_target(const LossEntry& entry, const TapPair& taps) {
  const std::int64_t width = taps.teacher_shape[0];
  if (!hadamard(width).defined())
    entry.refuse(
        fmt::format("target: phi_s needs a Hadamard matrix of the teacher's width, and none of order {} is "
                    "known here",
                    width),
        "target");
  target_ = &make_child<PhiSTarget>("target", width);
}

PhiSTarget::PhiSTarget(std::int64_t width)
    : weight_(add_buffer("weight", at::zeros({width, width}, at::kFloat))),
      bias_(add_buffer("bias", at::zeros({width}, at::kFloat))) {}

void PhiSTarget::see(const at::Tensor& features) {
  seen_.add(features.dim() == 2 ? features : features.permute({0, 2, 3, 1}).flatten(0, 2));
}

std::int64_t PhiSTarget::settle() {
  const PhiS found = phi_s(seen_);
  const at::NoGradGuard no_grad;
  weight_.copy_(found.weight);
  bias_.copy_(found.bias);
  const std::int64_t count = seen_.count();
  seen_ = {};
  return count;
}

at::Tensor PhiSTarget::apply(const at::Tensor& features) const {
  const at::Tensor weight = weight_.to(features.scalar_type()), bias = bias_.to(features.scalar_type());
  if (features.dim() == 2) return at::linear(features, weight, bias);
  return at::conv2d(features, weight.unsqueeze(-1).unsqueeze(-1), bias);
}

at::Tensor AlignBlock::align(const at::Tensor& student) {
  if (is_identity()) return student;
  Forward forward(/*training=*/true);
  return at_least_float(rows_ != nullptr ? rows_->forward(student, forward)
                                         : maps_->forward(student, forward));
}

at::Tensor student_map_of(const TapPair& taps, const LossInput& input, bool as_it_is) {
  const at::Tensor map = map_of(input.student, taps.student, taps.student_shape, taps.label, "student");
  if (as_it_is || taps.same_size()) return map;
  return at::upsample_bilinear2d(map, {taps.teacher_shape[1], taps.teacher_shape[2]},
                                 /*align_corners=*/false);
}

at::Tensor teacher_map_of(const TapPair& taps, const LossInput& input) {
  const at::Tensor map =
      map_of(input.teacher, taps.teacher, taps.teacher_shape, taps.label, "teacher").detach();
  const auto student = input.student.nodes.find(taps.student);
  if (student != input.student.nodes.end() && student->second.data.size(0) != map.size(0))
    fail(ExitCode::usage, "losses.{}: got {} {} of the student and {} of the teacher", taps.label,
         student->second.data.size(0), taps.rows() ? "rows" : "samples", map.size(0));
  return map;
}

at::Tensor student_embedding(const TapPair& taps, const LossInput& input) {
  return at::mean(student_map_of(taps, input, /*as_it_is=*/true), {2, 3});
}

at::Tensor teacher_embedding(const TapPair& taps, const LossInput& input) {
  return at::mean(teacher_map_of(taps, input), {2, 3});
}

std::string taps_text(const TapPair& taps, bool as_it_is) {
  return fmt::format("student {} {} -> teacher {} {}{}", taps.student, sizes_text(taps.student_shape),
                     taps.teacher, sizes_text(taps.teacher_shape),
                     as_it_is || taps.same_size() ? "" : " resized");
}

at::Tensor standardised_channels(const at::Tensor& map) {
  constexpr std::array<std::int64_t, 3> over = {0, 2, 3};
  const at::Tensor centred = map - at::mean(map, over, /*keepdim=*/true);
  if (map.numel() <= map.size(1)) return centred;  // one value a channel: 0 / 1e-6
  return centred / (at::std(map, over, /*unbiased=*/true, /*keepdim=*/true) + 1e-6);
}

std::string FeatureLoss::end_survey() {
  const std::int64_t count = target_->settle();
  return fmt::format("{}: PHI-S of teacher {} over {} {} of the training samples", label(), taps_.teacher,
                     count, taps_.rows() ? "rows" : "positions");
}

double FeatureLoss::num_elements(const CountInput& input) const {
  if (!taps_.rows()) return static_cast<double>(input.batch_size) * taps_.teacher_elements();
  MGD_ASSERT(input.batch != nullptr);
  const std::int64_t tokens = tokens_of(taps_.teacher_info, *input.batch).num_tokens();
  return static_cast<double>(tokens) * taps_.teacher_elements();
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

AlignedLoss::AlignedLoss(const LossEntry& entry, TapPair taps, const TargetOptions& options)
    : AlignedLoss(entry, std::move(taps), static_cast<const AlignedOptions&>(options)) {
  if (options.target == "phi_s") standardise_target(entry, *block_);
}

}  // namespace mgd
