#include "mgd/generate/generate.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/generate/course.h"
#include "mgd/generate/next_token.h"

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

std::vector<Course> courses_of(const TextModel& model, std::span<const Prompt> prompts,
                               const GenerateOptions& options, const GenerateHooks& hooks) {
  const TextConfig& config = model.config();
  const bool two = config.encoder_decoder();
  std::vector<Course> courses;
  for (const Prompt& prompt : prompts) {
    check_length(model, prompt, two ? model.max_tokens() : model.max_tokens() - 1);
    Course course{.start = two ? TokenIds{config.decoder_start_id} : prompt.ids,
                  .sample = prompt.sample,
                  .end_token = config.eos_id,
                  .must_end = two,
                  .hooks = &hooks};
    course.limit =
        std::min(options.max_new_tokens, model.max_tokens() - static_cast<std::int64_t>(course.start.size()));
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
    const TokenIds chosen = next_tokens(next.logits(sequences), sequences, places, options.sampling);
    std::vector<std::int64_t> kept;
    for (std::size_t row = 0; row < active.size(); ++row) {
      const Course& course = courses[active[row]];
      Generated& result = results[active[row]];
      const bool forced = course.is_forced(static_cast<std::int64_t>(result.tokens.size()));
      const std::int64_t token = forced ? course.end_token : chosen[row];
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

void GenerateOptions::visit(OptionVisitor& v) {
  v.option("max_new_tokens", max_new_tokens, {.help = "most tokens behind the prompt", .min = 1});
  sampling.visit(v);
  v.option("num_beams", num_beams, {.help = "beam search with so many", .min = 1, .max = 1000});
  v.option("cache", cache, {.help = "memory; the same text, slowly"});
}

std::optional<Ending> Course::ending(std::span<const std::int64_t> tokens) const {
  if (tokens.back() == end_token) return Ending::end_token;
  if (hooks->stops && hooks->stops(tokens)) return Ending::stop;
  if (static_cast<std::int64_t>(tokens.size()) >= limit) return Ending::length;
  return std::nullopt;
}

std::vector<Generated> generate(TextModel& model, std::span<const Prompt> prompts,
                                const GenerateOptions& options, const GenerateHooks& hooks) {
  check(model, options);
  if (prompts.empty()) return {};
  const std::vector<Course> courses = courses_of(model, prompts, options, hooks);
  std::vector<TokenIds> sources;
  if (model.config().encoder_decoder())
    for (const Prompt& prompt : prompts) sources.push_back(prompt.ids);
  if (options.num_beams > 1) return beam_search(model, std::move(sources), courses, options);
  NextToken next(model, std::move(sources), options.cache, options.device);
  return one_by_one(next, courses, options);
}

}  // namespace mgd
