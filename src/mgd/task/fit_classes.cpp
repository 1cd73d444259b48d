#include "mgd/task/fit_classes.h"

#include <ATen/ops/tensor.h>

#include "mgd/core/error.h"

namespace mgd {

namespace {

FittedClasses fresh_head(std::int64_t had, const WantedClasses& wanted) {
  const auto classes = static_cast<std::int64_t>(wanted.data.size());
  return {
      .num_classes = classes,
      .names = wanted.data,
      .fresh_head = true,
      .note = fmt::format("head fresh: {} -> {} classes", had == 0 ? "none" : std::to_string(had), classes)};
}

// Of a teacher whose outputs say nothing of the data's classes.
FittedClasses features_only(FittedClasses own, const std::string& why) {
  own.no_logits = why;
  own.note = why + "; its features can teach";
  return own;
}

std::string other_classes(const ClassMap& map, const std::string& role) {
  if (map.fit == ClassFit::other_number)
    return fmt::format("{} has {} classes without names, other than the data's (data.classes names them)",
                       role, map.model_classes);
  return fmt::format("{} has {} classes, none of them one of the data's", role, map.model_classes);
}

FittedClasses fit_named(FittedClasses own, const WantedClasses& wanted, const std::string& role) {
  const ClassMap map = match_classes(own.names, own.num_classes, wanted.data);
  if (map.found()) {
    own.note = describe_classes(map, wanted.data);
    if (map.changes_order()) own.rows = map.model_class;
    own.num_classes = static_cast<std::int64_t>(wanted.data.size());
    own.names = wanted.data;
    return own;
  }
  const bool learns = wanted.use == HeadUse::learn;
  if (map.fit == ClassFit::overlap)
    refuse_classes(map, role, own.names, wanted.data,
                   learns ? "; for a new classifier write student.head: fresh" : "");
  return learns ? fresh_head(own.num_classes, wanted)
                : features_only(std::move(own), other_classes(map, role));
}

}  // namespace

FittedClasses fit_classes(const std::vector<std::string>& names, std::int64_t num_classes,
                          const WantedClasses& wanted, const std::string& role) {
  FittedClasses own{.num_classes = num_classes, .names = names};
  if (names.empty() && num_classes > 0 && static_cast<std::int64_t>(wanted.unnamed.size()) == num_classes) {
    own.names = wanted.unnamed;
    own.named = true;
  }
  if (wanted.use == HeadUse::learn && (wanted.fresh || num_classes == 0))
    return fresh_head(num_classes, wanted);
  const bool any_will_do = wanted.use == HeadUse::teach && wanted.data.empty();
  if (any_will_do && num_classes > 0) return own;
  if (num_classes == 0) {
    if (wanted.use == HeadUse::own)
      fail(ExitCode::bad_data,
           "{}: the weights have no classifier; `mgd train DATA --from {}` gives them one", role, role);
    own = fresh_head(0, wanted);
    if (any_will_do) own.num_classes = 1;  // of which nobody asks anything
    return features_only(std::move(own), fmt::format("{} has no classifier", role));
  }
  if (wanted.use == HeadUse::own) return own;
  return fit_named(std::move(own), wanted, role);
}

void pick_rows(TensorMap& tensors, const std::string& head, const std::vector<std::int64_t>& rows) {
  const at::Tensor index = at::tensor(rows, at::kLong);
  for (auto& [name, tensor] : tensors)
    if (name.starts_with(head + ".") && tensor.dim() > 0) tensor = tensor.index_select(0, index);
}

}  // namespace mgd
