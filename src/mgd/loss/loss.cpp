#include "mgd/loss/loss.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/loss/describe.h"
#include "mgd/loss/entry.h"

namespace mgd {

#define MGD_LOSS(name, what) LossList make_##name##_losses(const LossEntry& entry);
#include "mgd/loss/builtin.def"
#undef MGD_LOSS

namespace {

struct BuiltinLoss {
  const char* name;
  LossFactory make;
  const char* what;
};

constexpr BuiltinLoss kLosses[] = {
#define MGD_LOSS(name, what) {#name, make_##name##_losses, what},
#include "mgd/loss/builtin.def"
#undef MGD_LOSS
};

}  // namespace

void LossEntry::refuse(const std::string& what, const char* key) const {
  const Node* value = node.find(key);
  throw Error(ExitCode::usage,
              fmt::format("{}: {}: {}", (value ? value->origin : node.origin).text(), where(), what));
}

void LossEntry::require_teacher() const {
  if (context.teacher.empty()) refuse("needs a teacher, and the recipe has none");
}

void LossEntry::require_a_factor(const NamedNumber& first, const NamedNumber& second) const {
  if (first.second == 0 && second.second == 0)
    refuse(fmt::format("{} and {} are both 0: nothing is compared", first.first, second.first),
           first.first.c_str());
}

void LossOptions::visit(OptionVisitor& v) {
  v.option("label", label, {.help = "name in tables and metrics; empty: the name of the loss"});
  v.option("teacher", teacher,
           {.help = "of several teachers, the name of the one it listens to; between logits of classes also "
                    "all: their "
                    "average"});
  v.option("weight", weight, {.help = "factor of this loss in the total", .min = 0, .max = 1e9});
  v.option("warmup_epochs", warmup_epochs,
           {.help = "epochs over which the weight rises to its value; 0: it is there from the start",
            .min = 0,
            .max = 1e6});
}

at::Tensor at_least_float(const at::Tensor& values) {
  return values.scalar_type() == at::kDouble ? values : values.to(at::kFloat);
}

const OwnLoss* find_own(std::span<const OwnLoss> own, const std::string& name) {
  const auto found = std::find_if(own.begin(), own.end(), [&](const OwnLoss& l) { return l.name == name; });
  return found == own.end() ? nullptr : &*found;
}

void check_own(std::span<const OwnLoss> own) {
  const std::vector<std::string> known = known_losses();
  for (const OwnLoss& loss : own) {
    if (loss.name.empty() || loss.make == nullptr)
      fail(ExitCode::usage, "own loss '{}': got no {}, expected a name and a function that makes it",
           loss.name, loss.name.empty() ? "name" : "function");
    if (std::find(known.begin(), known.end(), loss.name) != known.end())
      fail(ExitCode::usage, "own loss '{}': a loss of the library has this name; take another", loss.name);
    if (find_own(own, loss.name) != &loss)
      fail(ExitCode::usage, "own loss '{}': the name is there twice", loss.name);
  }
}

std::vector<std::unique_ptr<Loss>> make_losses(const Node& entry, const LossContext& context) {
  const Node* name = entry.find("name");
  if (name == nullptr || name->kind != Node::Kind::scalar)
    fail(ExitCode::usage, "{}: losses: an entry without a name, expected {{name: kd, ...}}",
         entry.origin.text());
  for (const BuiltinLoss& loss : kLosses)
    if (name->scalar == loss.name) return loss.make({entry, name->scalar, context});
  if (const OwnLoss* own = find_own(context.own, name->scalar))
    return own->make({entry, name->scalar, context});
  std::vector<std::string> known = known_losses();
  for (const OwnLoss& own : context.own) known.push_back(own.name);
  fail(ExitCode::usage, "{}: losses: unknown loss '{}'{}", name->origin.text(), name->scalar,
       suggestion(name->scalar, known));
}

std::vector<LossDescription> describe_losses() {
  std::vector<LossDescription> all;
  LossContext context;
  context.teacher["any"] = {.axes = Axes::map, .sizes = {1, 1, 1}};  // nothing is refused for want of one
  for (const BuiltinLoss& loss : kLosses) {
    Node entry = Node::make_map();
    entry.set("name", Node::make_scalar(loss.name));
    LossDescription& description =
        all.emplace_back(LossDescription{.name = loss.name, .what = loss.what, .options = {}});
    static_cast<void>(loss.make({entry, loss.name, context, &description.options}));
  }
  return all;
}

std::vector<std::string> known_losses() {
  std::vector<std::string> names;
  for (const auto& loss : kLosses) names.emplace_back(loss.name);
  return names;
}

}  // namespace mgd
