#include "mgd/cli/help_topics.h"

#include <algorithm>

#include "mgd/data/describe_augment.h"
#include "mgd/format/config.h"
#include "mgd/loss/describe.h"
#include "mgd/train/node_mask.h"

namespace mgd {

namespace {

struct Section {
  const char *name, *key, *help;
};

constexpr Section kSections[] = {
    {"data", "data.", "pictures or texts: where they are, how they are read, split and augmented"},
    {"text", "text.", "how texts become samples"},
    {"objectives", "objective.", "what of a text is hidden; which of these apply follows from `task`"},
    {"teacher", "teacher.", "the big network"},
    {"student", "student.", "the network that is trained"},
    {"train", "train.", "keys of a recipe under `train`: the optimisation"},
    {"teacher_cache", "train.teacher_cache.", "the teacher's outputs, kept on disk"},
    {"run", "run.", "where and how a run runs"},
};

std::vector<OptionInfo> rows_of(const std::vector<OptionInfo>& all, const std::string& prefix) {
  std::vector<OptionInfo> rows;
  std::copy_if(all.begin(), all.end(), std::back_inserter(rows),
               [&](const OptionInfo& row) { return row.name.starts_with(prefix); });
  return rows;
}

HelpTopic list_topic(const std::string& name, const std::string& help) {
  return {.name = name, .help = help, .options = {}};
}

// The list and each of its things, after it.
void add_things(std::vector<HelpTopic>& topics, HelpTopic list, std::vector<HelpTopic> things) {
  for (const HelpTopic& thing : things) list.parts.emplace_back(thing.name, thing.help);
  topics.push_back(std::move(list));
  topics.insert(topics.end(), std::make_move_iterator(things.begin()), std::make_move_iterator(things.end()));
}

// Options that a loss leaves to the mask it asks for are described by that.
std::vector<OptionInfo> with_mask_options(std::vector<OptionInfo> options) {
  const std::vector<OptionInfo> of_mask = describe_options<MaskOptions>();
  for (OptionInfo& option : options) {
    if (!option.type.empty()) continue;
    const auto found = std::find_if(of_mask.begin(), of_mask.end(),
                                    [&](const OptionInfo& row) { return row.name == option.name; });
    if (found != of_mask.end()) option = *found;
  }
  return options;
}

std::vector<HelpTopic> loss_topics() {
  std::vector<HelpTopic> things;
  for (LossDescription& loss : describe_losses())
    things.push_back(
        {.name = loss.name, .help = loss.what, .options = with_mask_options(std::move(loss.options))});
  return things;
}

std::vector<HelpTopic> augment_topics() {
  std::vector<HelpTopic> things;
  for (AugmentationDescription& step : describe_augmentations())
    things.push_back({.name = step.name, .help = step.what, .options = std::move(step.options)});
  return things;
}

}  // namespace

std::vector<HelpTopic> help_topics() {
  const std::vector<OptionInfo> all = describe_options<Config>();
  std::vector<HelpTopic> topics = {{.name = "recipe", .help = "every key of a recipe", .options = all}};
  for (const auto& [name, key, help] : kSections)
    topics.push_back({.name = name, .help = help, .options = rows_of(all, key)});
  add_things(
      topics,
      list_topic("losses", "what is minimised: `losses: [{name: kd, weight: 0.9, temperature: 4}, ...]`"),
      loss_topics());
  add_things(topics, list_topic("augment", "what happens to pictures: `data: {augment: [crop: 4, flip]}`"),
             augment_topics());
  topics.push_back(
      {.name = "masks",
       .help = "what the student does not get to see: `masks: [{node: input, mask: block, size: 4}]`",
       .options = describe_options<NodeMaskOptions>()});
  return topics;
}

}  // namespace mgd
