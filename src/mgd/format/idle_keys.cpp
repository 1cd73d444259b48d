#include "mgd/format/idle_keys.h"

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// The values of `node` at which `otherwise` has another one, by dotted path.
void find_changed(const Node& node, const Node* otherwise, const std::string& path,
                  std::vector<std::pair<std::string, std::string>>& found) {
  if (node.kind == Node::Kind::map && otherwise != nullptr && otherwise->kind == Node::Kind::map) {
    for (const auto& [key, value] : node.fields)
      find_changed(value, otherwise->find(key), join_path(path, key), found);
    return;
  }
  const std::string text = to_yaml_flow(node);
  if (otherwise == nullptr || to_yaml_flow(*otherwise) != text) found.emplace_back(path, text);
}

struct Rule {
  bool idle;                      // in this recipe
  std::vector<std::string> keys;  // or the groups that they begin with
  std::string why;
};

std::vector<Rule> rules_for(const Config& config) {
  const TrainConfig& train = config.train;
  const bool texts = config.reads_text(), steps = train.schedule == "step";
  // Of these blocks there may be as many variants as objective.variants says.
  const bool moves = config.text.samples == "blocks";
  const bool falls = train.schedule == "cosine" || train.schedule == "linear";
  return {
      {texts,
       {"data.format", "data.labels", "data.validation_split", "data.label_column", "data.channels",
        "data.max_megapixels", "data.unlabelled", "data.augment", "data.views", "data.image_size",
        "data.crop_pct", "data.crop_mode", "data.interpolation", "data.mean", "data.std"},
       "it is for pictures, and this task reads texts"},
      {!texts,
       {"student.vocab_size", "student.hidden_size", "student.heads", "student.intermediate_size",
        "student.max_positions", "student.decoder_layers", "student.dropout", "student.tie_embeddings"},
       "it is for text models, and this task reads pictures"},
      {texts, {"student.width"}, "it is for image models, and this task reads texts"},
      {config.student.path.empty() && config.student.weights.empty(),
       {"student.head"},
       "it is for given weights, and this student begins from scratch"},
      {!texts,
       {"text", "objective"},
       "it is for texts, and classify reads pictures unless text.columns or text.tokenizer is given"},
      {config.task == "clm" && moves,
       {"objective.mask_ratio", "objective.rule", "objective.whole_word", "objective.spans",
        "objective.span_p", "objective.span_max", "objective.span_mean", "objective.mask_frac",
        "objective.random_frac", "objective.permute_sentences"},
       "it belongs to the tasks mlm and denoise"},
      {config.task != "mlm" && config.task != "denoise" && !(config.task == "clm" && moves),
       {"objective"},
       "it belongs to the tasks mlm and denoise"},
      {config.task == "mlm",
       {"objective.span_mean", "objective.permute_sentences"},
       "it belongs to the task denoise"},
      {config.task == "denoise",
       {"objective.rule", "objective.spans", "objective.span_p", "objective.span_max", "objective.mask_frac",
        "objective.random_frac"},
       "it belongs to the task mlm"},
      {config.task == "mlm" && !config.objective.spans,
       {"objective.span_p", "objective.span_max"},
       "it belongs to objective.spans"},
      {config.data.augment.empty() && config.data.views > 1,
       {"data.views"},
       "without data.augment a picture has one form"},
      {train.optimizer != "sgd", {"train.momentum", "train.nesterov"}, "it belongs to sgd"},
      {train.optimizer != "adamw", {"train.beta1", "train.beta2", "train.eps"}, "it belongs to adamw"},
      {!steps, {"train.milestones", "train.gamma"}, "it belongs to the schedule step"},
      {!falls, {"train.final_lr_frac"}, "it belongs to the schedules cosine and linear"},
      {train.teacher_cache.path.empty(),
       {"train.teacher_cache"},
       "without train.teacher_cache.path nothing is kept"},
  };
}

}  // namespace

std::vector<std::string> idle_keys(const Config& config) {
  std::vector<std::pair<std::string, std::string>> changed;
  const Node defaults = write_options(Config{});
  find_changed(write_options(config), &defaults, "", changed);
  std::vector<std::string> lines;
  const std::vector<Rule> rules = rules_for(config);
  for (const auto& [path, value] : changed) {
    const auto covers = [&, &path = path](const std::string& key) {
      return path == key || path.starts_with(key + ".");
    };
    for (const Rule& rule : rules) {
      if (!rule.idle || std::none_of(rule.keys.begin(), rule.keys.end(), covers)) continue;
      lines.push_back(fmt::format("{}={} changes nothing: {}", path, printable(value), rule.why));
      break;
    }
  }
  return lines;
}

}  // namespace mgd
