// What every loss is made with: its recipe entry, and the options they all share.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mgd/loss/loss.h"

namespace mgd {

struct LossEntry {
  const Node& node;  // a map with "name"
  std::string name;
  const LossContext& context;
  std::vector<OptionInfo>* description = nullptr;  // when set: filled with the options, and no loss is made

  std::string where() const { return "losses." + name; }
  // Throws Error(usage): "recipe.yaml:12:5: losses.mgd: WHAT", with the place of `key` when the entry has it.
  [[noreturn]] void refuse(const std::string& what, const char* key = "name") const;
  void require_teacher() const;  // refuses where the recipe has none
  // Refuses two factors that are both 0.
  void require_a_factor(const NamedNumber& first, const NamedNumber& second) const;
};

struct LossOptions {
  std::string label;    // empty: the loss's name
  std::string teacher;  // of several: its name, or "all"; empty: the only one, or all
  double weight = 1;
  double warmup_epochs = 0;
  void visit(OptionVisitor& v);
};

class NamedLoss : public Loss {
 public:
  NamedLoss(std::string label, const LossOptions& options)
      : label_(std::move(label)), weight_(options.weight), warmup_epochs_(options.warmup_epochs) {}
  NamedLoss(const LossEntry& entry, const LossOptions& options)
      : NamedLoss(options.label.empty() ? entry.name : options.label, options) {}
  const std::string& label() const override { return label_; }
  double weight() const override { return weight_; }
  double warmup_epochs() const override { return warmup_epochs_; }

 private:
  std::string label_;
  double weight_, warmup_epochs_;
};

// The one way in which a loss reads its options. false: the entry asked for their description only. `ignore`:
// keys that are not in Options and that somebody else reads; all but the name are described without a type,
// for describe_loss.
template <class Options>
bool read_entry(const LossEntry& entry, Options& options, const std::vector<std::string>& ignore = {"name"}) {
  if (entry.description == nullptr) {
    read_options(entry.node, options, entry.where(), ignore);
    return true;
  }
  *entry.description = describe_options(options);
  for (const std::string& key : ignore)
    if (key != "name") entry.description->push_back({.name = key});
  return false;
}

// An entry that gives one loss: LossType(entry, options), its options read.
template <class LossType, class Options>
LossList make_one_loss(const LossEntry& entry) {
  Options options;
  LossList losses;
  if (!read_entry(entry, options)) return losses;
  losses.push_back(std::make_unique<LossType>(entry, options));
  return losses;
}

// A program's own loss of a class with the constructor LossType(const LossEntry&, const Options&), such as
// NamedLoss's.
template <class LossType, class Options = LossOptions>
OwnLoss own_loss(std::string name, std::string version = "1") {
  return {.name = std::move(name), .make = make_one_loss<LossType, Options>, .version = std::move(version)};
}

// float32 for half and bfloat16, unchanged otherwise: a sum of thousands of squares in bfloat16 stops growing
// after 256.
at::Tensor at_least_float(const at::Tensor& values);

}  // namespace mgd
