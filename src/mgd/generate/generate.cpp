#include "mgd/generate/generate.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/generate/course.h"
#include "mgd/generate/next_token.h"
#include "mgd/generate/rules.h"

namespace mgd {

namespace {

void check_length(const TextModel& model, const Prompt& prompt, std::int64_t most) {
  const auto size = static_cast<std::int64_t>(prompt.ids.size());
  if (size == 0) fail(ExitCode::usage, "prompt {}: it is empty; expected a token at least", prompt.sample);
  if (size > most)
    fail(ExitCode::usage, "prompt {}: got {} tokens, but {} takes at most {}{}", prompt.sample, size,
         model.architecture(), model.max_tokens(),
         model.config().encoder_decoder() ? "" : ", and one of them has to be new");
}

void check(const TextModel& model, const GenerateOptions& options) {
  if (model.config().head != TextHead::causal_lm)
    fail(ExitCode::usage,
         "{} with a head for {} does not generate text; expected gpt2 or bart with causal_lm",
         model.architecture(), text_head_name(model.config().head));
  check_sampling(options.sampling);
  if (options.num_beams > 1 && !options.sampling.greedy())
    fail(ExitCode::usage,
         "num_beams: got {} with temperature {}; beam search draws nothing: expected one of the two",
         options.num_beams, options.sampling.temperature);
}

void check_rules(const GenerationRules& rules, std::int64_t vocab_size) {
  const auto check_ids = [&](const std::vector<std::int64_t>& ids, const char* what) {
    for (const std::int64_t id : ids)
      if (id >= vocab_size)
        fail(ExitCode::usage, "{}: got the token {}, but the model knows {} tokens", what, id, vocab_size);
  };
  check_ids(rules.ends, "eos_token_id");
  check_ids(rules.forced_ends, "forced_eos_token_id");
  check_ids({rules.forced_begin}, "forced_bos_token_id");
  check_ids(rules.suppressed, "suppress_tokens");
  check_ids(rules.suppressed_at_begin, "begin_suppress_tokens");
  for (const auto& run : rules.bad_words) check_ids(run, "bad_words_ids");
}

std::vector<Course> courses_of(const TextModel& model, std::span<const Prompt> prompts,
                               const GenerateOptions& options, const GenerationRules& rules,
                               const GenerateHooks& hooks) {
  const TextConfig& config = model.config();
  const bool two = config.encoder_decoder();
  std::vector<Course> courses;
  for (const Prompt& prompt : prompts) {
    check_length(model, prompt, two ? model.max_tokens() : model.max_tokens() - 1);
    Course course{.start = two ? TokenIds{config.decoder_start_id} : prompt.ids,
                  .sample = prompt.sample,
                  .rules = &rules,
                  .hooks = &hooks};
    const auto begun = static_cast<std::int64_t>(course.start.size());
    if (options.max_length > 0 && options.max_length <= begun)
      fail(ExitCode::usage,
           "max_length: got {}, but prompt {} has {} tokens already; expected more, or max_new_tokens",
           options.max_length, prompt.sample, begun);
    course.limit = std::min(options.max_length > 0 ? options.max_length - begun : options.max_new_tokens,
                            model.max_tokens() - begun);
    courses.push_back(std::move(course));
  }
  return courses;
}

// One token a step for every sequence that has not ended.
std::vector<Generated> one_by_one(NextToken& next, const std::vector<Course>& courses,
                                  const GenerateOptions& options) {
  std::vector<Generated> results(courses.size());
  std::vector<std::size_t> active;
  std::vector<TokenIds> sequences;  // of the active ones
  for (std::size_t i = 0; i < courses.size(); ++i) {
    active.push_back(i);
    sequences.push_back(courses[i].start);
  }
  while (!active.empty()) {
    std::vector<DrawPlace> places;
    for (const std::size_t i : active)
      places.push_back({courses[i].sample, static_cast<std::uint32_t>(results[i].tokens.size())});
    std::vector<RuledRow> ruled;
    for (std::size_t row = 0; row < active.size(); ++row)
      ruled.push_back({.sequence = &sequences[row], .course = &courses[active[row]]});
    at::Tensor scores = next.logits(sequences);
    if (options.sampling.repetition_penalty != 1)
      scores = penalise_repetition(scores, sequences, options.sampling.repetition_penalty);
    const TokenIds chosen = choose(apply_rules(scores, ruled), places, options.sampling);
    std::vector<std::int64_t> kept;
    for (std::size_t row = 0; row < active.size(); ++row) {
      const Course& course = courses[active[row]];
      Generated& result = results[active[row]];
      const std::int64_t token = chosen[row];
      result.tokens.push_back(token);
      sequences[row].push_back(token);
      if (course.hooks->on_token) course.hooks->on_token(active[row], token);
      const auto ending = course.ending(result.tokens);
      if (ending)
        result.ending = *ending;
      else
        kept.push_back(static_cast<std::int64_t>(row));
    }
    if (kept.size() == active.size()) continue;
    next.select(kept);
    for (std::size_t k = 0; k < kept.size(); ++k) {
      const auto row = static_cast<std::size_t>(kept[k]);
      active[k] = active[row];
      if (k != row) sequences[k] = std::move(sequences[row]);
    }
    active.resize(kept.size());
    sequences.resize(kept.size());
  }
  return results;
}

}  // namespace

GenerationRules default_rules(const TextConfig& config) {
  GenerationRules rules;
  if (config.eos_id >= 0) rules.ends = {config.eos_id};
  rules.ends.insert(rules.ends.end(), config.other_eos_ids.begin(), config.other_eos_ids.end());
  if (config.encoder_decoder()) rules.forced_ends = rules.ends;
  return rules;
}

std::optional<Ending> Course::ending(std::span<const std::int64_t> tokens) const {
  if (std::find(rules->ends.begin(), rules->ends.end(), tokens.back()) != rules->ends.end())
    return Ending::end_token;
  if (hooks->stops && hooks->stops(tokens)) return Ending::stop;
  if (static_cast<std::int64_t>(tokens.size()) >= limit) return Ending::length;
  return std::nullopt;
}

std::vector<Generated> generate(TextModel& model, std::span<const Prompt> prompts,
                                const GenerateOptions& options, const GenerateHooks& hooks) {
  check(model, options);
  if (prompts.empty()) return {};
  const GenerationRules rules = options.rules.value_or(default_rules(model.config()));
  check_rules(rules, model.config().vocab_size);
  const std::vector<Course> courses = courses_of(model, prompts, options, rules, hooks);
  std::vector<TokenIds> sources;
  if (model.config().encoder_decoder())
    for (const Prompt& prompt : prompts) sources.push_back(prompt.ids);
  if (options.num_beams > 1) return beam_search(model, std::move(sources), courses, options);
  NextToken next(model, std::move(sources), options.cache, options.device);
  return one_by_one(next, courses, options);
}

}  // namespace mgd
