// TinyBERT: attention scores and hidden rows, layer by layer.
#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/format/idle_options.h"
#include "mgd/loss/layer_losses.h"

namespace mgd {
namespace {

struct TinyBertOptions : LossOptions {
  std::vector<std::string> layers;
  double attention_weight = 1, hidden_weight = 1;
  bool embeddings = true;
  std::string align = "auto";
  void visit(OptionVisitor& v) {
    LossOptions::visit(v);
    v.option("layers", layers,
             {.help = "pairs STUDENT:TEACHER of layers, from 0; default: student's layer i meets the last of "
                      "the i-th of as many equal groups of the teacher's"});
    v.option("attention_weight", attention_weight,
             {.help = "factor of the scores before the softmax, after rotary positions turned queries and "
                      "keys; 0: not compared",
              .min = 0,
              .max = 1e9});
    v.option("hidden_weight", hidden_weight,
             {.help = "factor of the hidden rows; 0: not compared", .min = 0, .max = 1e9});
    v.option("embeddings", embeddings,
             {.help = "among the hidden rows, also compare what the first layers read"});
    v.option("align", align,
             {.help = "one linear map for all hidden rows: where widths differ, or always",
              .choices = {"auto", "always"}});
  }
};

struct LayerPair {
  std::size_t student = 0, teacher = 0;
};

std::int64_t layer_number(const LossEntry& entry, const std::string& pair, const std::string& digits,
                          const char* whose, std::size_t layers) {
  if (digits.empty() || digits.size() > 4 ||
      !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
    entry.refuse(fmt::format("layers: got '{}', expected STUDENT:TEACHER, e.g. 0:2", pair), "layers");
  const std::int64_t layer = std::stoll(digits);
  if (layer >= static_cast<std::int64_t>(layers))
    entry.refuse(fmt::format("layers: got '{}', but the {}'s layers are 0 ... {}", pair, whose, layers - 1),
                 "layers");
  return layer;
}

std::vector<LayerPair> layer_pairs(const LossEntry& entry, const std::vector<std::string>& given) {
  const std::size_t students = entry.context.student_attention.size(),
                    teachers = entry.context.teacher_attention.size();
  std::vector<LayerPair> pairs;
  if (given.empty()) {
    if (teachers % students != 0)
      entry.refuse(fmt::format("layers: {} layers of the teacher are no multiple of the student's {}; say "
                               "which meet, e.g. layers: ['0:{}']",
                               teachers, students, (teachers + students - 1) / students - 1),
                   "layers");
    const std::size_t each = teachers / students;
    for (std::size_t i = 0; i < students; ++i)
      pairs.push_back({.student = i, .teacher = i * each + each - 1});
    return pairs;
  }
  for (const std::string& text : given) {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const std::string after = colon < text.size() ? text.substr(colon + 1) : "";
    LayerPair pair;
    pair.student =
        static_cast<std::size_t>(layer_number(entry, text, text.substr(0, colon), "student", students));
    pair.teacher = static_cast<std::size_t>(layer_number(entry, text, after, "teacher", teachers));
    for (const LayerPair& other : pairs)
      if (other.student == pair.student)
        entry.refuse(fmt::format("layers: the student's layer {} is there twice", pair.student), "layers");
    pairs.push_back(pair);
  }
  return pairs;
}

void refuse_what_has_no_scores(const LossEntry& entry) {
  entry.require_teacher();
  for (const auto& [whose, layers] : {std::pair{"student", &entry.context.student_attention},
                                      std::pair{"teacher", &entry.context.teacher_attention}}) {
    if (layers->empty())
      entry.refuse(
          fmt::format("the {} has no layers of attention; tinybert is for Transformers, mimic and "
                      "mgd compare other features",
                      whose));
    for (const AttentionNodes& layer : *layers)
      if (layer.nodes.empty() || layer.heads < 1)
        entry.refuse(fmt::format("a layer of the {} does not tell its queries and keys", whose));
  }
}

void refuse_other_heads(const LossEntry& entry, const LayerPair& pair) {
  const AttentionNodes &student = entry.context.student_attention[pair.student],
                       &teacher = entry.context.teacher_attention[pair.teacher];
  if (student.heads != teacher.heads)
    entry.refuse(
        fmt::format("layer {} of the student has {} heads and layer {} of the teacher {}: scores are "
                    "compared head by head; minilm cuts heads anew, and attention_weight: 0 leaves "
                    "the scores out",
                    pair.student, student.heads, pair.teacher, teacher.heads));
}

std::vector<TapPair> hidden_pairs(const LossEntry& entry, const std::string& label,
                                  const std::vector<LayerPair>& layers, bool embeddings) {
  std::vector<TapPair> pairs;
  const auto add = [&](const std::string& student, std::int64_t from, const std::string& teacher,
                       std::int64_t to) {
    pairs.push_back({.label = label,
                     .student = student,
                     .teacher = teacher,
                     .student_shape = {from},
                     .teacher_shape = {to},
                     .teacher_info = {.axes = Axes::rows, .sizes = {to}}});
  };
  const auto &student = entry.context.student_attention, &teacher = entry.context.teacher_attention;
  if (embeddings)
    add(student.front().input, student.front().hidden, teacher.front().input, teacher.front().hidden);
  for (const LayerPair& pair : layers)
    add(student[pair.student].output, student[pair.student].hidden, teacher[pair.teacher].output,
        teacher[pair.teacher].hidden);
  return pairs;
}

}  // namespace

// One loss for the scores of each pair of layers, LABEL.attention.I, and one for all hidden rows,
// LABEL.hidden: means over other numbers, and the map is shared.
LossList make_tinybert_losses(const LossEntry& entry) {
  TinyBertOptions options;
  LossList losses;
  if (!read_entry(entry, options)) return losses;
  refuse_what_has_no_scores(entry);
  entry.require_a_factor({"attention_weight", options.attention_weight},
                         {"hidden_weight", options.hidden_weight});
  const char* const no_rows = "hidden_weight: 0 compares no hidden rows";
  refuse_idle(
      entry.node, entry.where(), options,
      {{"embeddings", options.hidden_weight == 0, no_rows}, {"align", options.hidden_weight == 0, no_rows}});
  const std::vector<LayerPair> layers = layer_pairs(entry, options.layers);
  const std::string base = options.label.empty() ? entry.name : options.label;
  LossOptions part = options;
  if (options.attention_weight > 0) {
    part.weight = options.weight * options.attention_weight;
    for (const LayerPair& pair : layers) {
      refuse_other_heads(entry, pair);
      losses.push_back(make_score_loss(fmt::format("{}.attention.{}", base, pair.student), part,
                                       entry.context.student_attention[pair.student],
                                       entry.context.teacher_attention[pair.teacher]));
    }
  }
  if (options.hidden_weight > 0) {
    part.weight = options.weight * options.hidden_weight;
    const std::string label = base + ".hidden";
    losses.push_back(make_hidden_rows_loss(
        entry, label, part, hidden_pairs(entry, label, layers, options.embeddings), options.align));
  }
  return losses;
}

}  // namespace mgd
