#include "mgd/train/proposal.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace mgd {

namespace {

// Small networks by size, for pictures of 64 px and more and for smaller ones; parameters for ten classes.
struct Candidate {
  const char* architecture;
  double width;
  double parameters;
};
constexpr std::array<Candidate, 6> kPhotoStudents = {{{"resnet18", 0.125, 0.18e6},
                                                      {"resnet18", 0.25, 0.70e6},
                                                      {"resnet18", 0.375, 1.6e6},
                                                      {"resnet18", 0.5, 2.8e6},
                                                      {"resnet18", 0.75, 6.3e6},
                                                      {"resnet18", 1, 11.2e6}}};
constexpr std::array<Candidate, 5> kThumbnailStudents = {{{"cifar_resnet8", 1, 0.08e6},
                                                          {"cifar_resnet20", 1, 0.27e6},
                                                          {"cifar_resnet32", 1, 0.46e6},
                                                          {"cifar_resnet44", 1, 0.66e6},
                                                          {"cifar_resnet56", 1, 0.85e6}}};
constexpr std::int64_t kPhoto = 64, kStudentSide = 128;
// Chosen on the validation part of photos (docs/results.md).
constexpr double kLabels = 0.3, kAnswers = 0.7, kTemperature = 2, kMgdWeight = 0.02;

bool are_photos(const ProposalFacts& facts) {
  return facts.side >= kPhoto;
}

Node number(double value) {
  return Node::make_scalar(number_text(value));
}

Node text(const std::string& value) {
  return Node::make_scalar(value);
}

// Puts keys into the recipe, each with its reason.
class Writer {
 public:
  explicit Writer(Proposal& proposal) : proposal_(proposal) {}
  // `path` has one or two parts: "data.path", "losses".
  void set(const std::string& path, Node value, const std::string& why = "") {
    const std::size_t dot = path.find('.');
    if (dot == std::string::npos) {
      proposal_.recipe.set(path, std::move(value));
    } else {
      const std::string group = path.substr(0, dot);
      const Node* before = proposal_.recipe.find(group);
      Node map = before != nullptr ? *before : Node::make_map();
      map.set(path.substr(dot + 1), std::move(value));
      proposal_.recipe.set(group, std::move(map));
    }
    proposal_.choices.push_back({path, why});
  }

 private:
  Proposal& proposal_;
};

void set_model(Writer& writer, const std::string& role, const ModelConfig& model) {
  if (!model.path.empty()) return writer.set(role + ".path", text(model.path));
  writer.set(role + ".model", text(model.model));
  if (!model.weights.empty()) writer.set(role + ".weights", text(model.weights));
}

void set_student(Writer& writer, const ProposalFacts& facts) {
  const ProposedStudent student = proposed_student(facts);
  writer.set("student.model", text(student.architecture),
             !facts.student.empty()
                 ? "asked for"
                 : fmt::format("the largest of its kind with at most a third of the teacher's "
                               "{:.2g} M parameters",
                               static_cast<double>(facts.given_parameters) / 1e6));
  if (student.width != 1) writer.set("student.width", number(student.width));
}

// So many epochs that about `seen` pictures are shown in all.
std::int64_t epochs_for(double seen, const ProposalFacts& facts, std::int64_t least, std::int64_t most) {
  return std::clamp<std::int64_t>(
      std::llround(seen / static_cast<double>(std::max<std::int64_t>(1, facts.pictures))), least, most);
}

// Batches that fit the data: a power of two, at least ten of them in an epoch where there are so many
// pictures.
std::int64_t batch_for(const ProposalFacts& facts, std::int64_t most) {
  std::int64_t batch = 8;
  while (batch * 2 <= most && batch * 20 <= facts.pictures) batch *= 2;
  return std::min(batch, std::max<std::int64_t>(1, facts.pictures));
}

Node entry(const std::string& name, const std::vector<NamedNumber>& options = {}) {
  Node map = Node::make_map();
  map.set("name", text(name));
  for (const auto& [key, value] : options) map.set(key, number(value));
  return map;
}

void set_augmentation(Writer& writer, const ProposalFacts& facts, double least_share) {
  Node list = Node::make_list();
  if (are_photos(facts))
    list.items.push_back(entry("random_resized_crop", {{"min_scale", least_share}}));
  else
    list.items.push_back(
        entry("crop", {{"padding", static_cast<double>(std::max<std::int64_t>(1, facts.side / 8))}}));
  list.items.push_back(entry("flip"));
  writer.set("data.augment", std::move(list), "drop `flip` where left and right mean something");
}

void set_course(Writer& writer, std::int64_t epochs, const std::string& why, std::int64_t batch, double lr,
                const std::string& why_lr, double decay) {
  writer.set("train.epochs", number(static_cast<double>(epochs)), why);
  writer.set("train.batch_size", number(static_cast<double>(batch)));
  writer.set("train.optimizer", text("adamw"));
  writer.set("train.lr", number(lr), why_lr);
  writer.set("train.weight_decay", number(decay));
  writer.set("train.decay_norm_bias", text("false"));
  writer.set("train.schedule", text("cosine"));
  writer.set("train.warmup_epochs", number(std::min<double>(2, static_cast<double>(epochs) / 10)));
}

// On maps of a few pixels a side the tiles of four by four would be mostly border.
void set_winograd(Writer& writer, const ProposalFacts& facts) {
  if (are_photos(facts))
    writer.set("train.winograd", text("true"), "a third less time a step; its rounding is a little coarser");
}

// The loss that the program is named after, where both networks have maps for it.
Node mgd_entry(const ProposedTaps& taps) {
  Node map = entry("mgd", {{"weight", kMgdWeight}});
  map.set("student_tap", text(taps.student));
  map.set("teacher_tap", text(taps.teacher));
  map.set("resize", text("true"));
  return map;
}

}  // namespace

ProposedStudent proposed_student(const ProposalFacts& facts) {
  const std::int64_t side = are_photos(facts) ? std::min(facts.side, kStudentSide) : facts.side;
  if (!facts.student.empty()) return {.architecture = facts.student, .side = side};
  const auto choose = [&](const auto& candidates) {
    const Candidate* chosen = &candidates.front();
    for (const Candidate& candidate : candidates)
      if (candidate.parameters <= static_cast<double>(facts.given_parameters) / 3) chosen = &candidate;
    return *chosen;
  };
  const Candidate chosen = are_photos(facts) ? choose(kPhotoStudents) : choose(kThumbnailStudents);
  return {.architecture = chosen.architecture, .width = chosen.width, .side = side};
}

Proposal propose_training(const ProposalFacts& facts) {
  Proposal proposal;
  Writer writer(proposal);
  const bool given = !facts.given.path.empty() || !facts.given.weights.empty();
  writer.set("task", text("classify"));
  writer.set("data.path", text(facts.data));
  if (given) {
    set_model(writer, "student", facts.given);
    set_augmentation(writer, facts, 0.35);
    const std::int64_t epochs = epochs_for(20'000, facts, 4, 20);
    set_course(writer, epochs, "about 20,000 pictures in all: given weights need few", batch_for(facts, 32),
               3e-4, "small, so that what the weights know stays", 0.01);
    Node losses = Node::make_list();
    losses.items.push_back(entry("cross_entropy", {{"label_smoothing", 0.1}}));
    writer.set("losses", std::move(losses),
               "smoothed, so that as a teacher it is not too sure of the pictures it learned from");
    return proposal;
  }
  writer.set("student.model",
             text(!facts.student.empty() ? facts.student
                  : are_photos(facts)    ? "resnet18"
                                         : "cifar_resnet20"),
             facts.student.empty() ? "a plain network of the usual kind" : "asked for");
  if (are_photos(facts))
    writer.set("data.image_size", number(static_cast<double>(std::min(facts.side, kStudentSide))),
               "a third of the work of 224, for a few points of accuracy");
  set_augmentation(writer, facts, 0.35);
  set_course(writer, epochs_for(80'000, facts, 10, 100), "about 80,000 pictures in all", batch_for(facts, 64),
             2e-3, "", 0.05);
  set_winograd(writer, facts);
  return proposal;
}

Proposal propose_distillation(const ProposalFacts& facts) {
  Proposal proposal;
  Writer writer(proposal);
  writer.set("task", text("classify"));
  writer.set("data.path", text(facts.data));
  if (facts.side > kStudentSide)
    writer.set("data.image_size", number(kStudentSide),
               "a third of the work of 224, for a few points of accuracy");
  set_augmentation(writer, facts, 0.35);
  writer.set("data.views", number(8), "variants of each picture, so that the teacher answers each only once");
  set_model(writer, "teacher", facts.given);
  if (facts.side > kStudentSide)
    writer.set("teacher.image_size", number(static_cast<double>(facts.side)),
               "what it learned at; it sees the same parts of the pictures as the student");
  set_student(writer, facts);
  Node losses = Node::make_list();
  losses.items.push_back(entry("cross_entropy", {{"weight", kLabels}}));
  losses.items.push_back(entry("kd", {{"weight", kAnswers}, {"temperature", kTemperature}}));
  if (facts.taps) losses.items.push_back(mgd_entry(*facts.taps));
  writer.set(
      "losses", std::move(losses),
      facts.taps
          ? fmt::format("weights of docs/results.md; of the maps, {} of the student shall make {} of the "
                        "teacher{}",
                        facts.taps->student, facts.taps->teacher,
                        facts.taps->same_size ? ", of equal size" : ", sizes nearest")
          : "weights of docs/results.md; no mgd: the two have no maps of 4 x 4 and more for it");
  set_course(writer, epochs_for(80'000, facts, 10, 100), "about 80,000 pictures in all", batch_for(facts, 64),
             2e-3, "", 0.05);
  set_winograd(writer, facts);
  return proposal;
}

std::string Proposal::to_yaml() const {
  std::string out;
  for (const auto& [group, value] : recipe.fields) {
    for (const Choice& choice : choices)
      if ((choice.key == group || choice.key.starts_with(group + ".")) && !choice.why.empty())
        out += fmt::format("# {}: {}\n", choice.key, choice.why);
    Node one = Node::make_map();
    one.set(group, value);
    out += mgd::to_yaml(one);
  }
  return out;
}

}  // namespace mgd
