#include "mgd/cli/generate_flags.h"

#include <fmt/ranges.h>

#include "mgd/core/error.h"
#include "mgd/core/file.h"

namespace mgd {

namespace {

template <class T>
T given_or(T flag, T none, T otherwise) {
  return flag != none ? flag : otherwise;
}

// What is drawn from. A flag that draws switches off the folder's beams, and a flag for beams what it draws.
void settle_drawing(const GenerateFlags& flags, const GenerationSettings& settings, GenerateOptions& options,
                    std::vector<std::string>& notes) {
  SamplingOptions& sampling = options.sampling;
  sampling.temperature = flags.temperature >= 0 ? flags.temperature
                         : settings.sample      ? settings.temperature
                                                : 0;
  options.num_beams = given_or<std::int64_t>(flags.num_beams, 0, settings.num_beams);
  if (!sampling.greedy() && options.num_beams > 1) {
    if (flags.num_beams == 0 && flags.temperature >= 0) {
      notes.push_back(
          fmt::format("num_beams {} of the folder is left out: the temperature draws", options.num_beams));
      options.num_beams = 1;
    } else if (flags.temperature < 0) {
      notes.push_back("do_sample of the folder is left out: beam search draws nothing");
      sampling.temperature = 0;
    }
  }
  const bool draws = !sampling.greedy();
  sampling.top_k = given_or<std::int64_t>(flags.top_k, -1,
                                          !draws                ? 0
                                          : settings.top_k >= 0 ? settings.top_k
                                          : settings.sample     ? 50
                                                                : 0);
  sampling.top_p = given_or(flags.top_p, -1.0, draws ? settings.top_p : 1);
  sampling.min_p = given_or(flags.min_p, -1.0, draws ? settings.min_p : 0);
}

void settle_lengths(const GenerateFlags& flags, const GenerationSettings& settings,
                    GenerateOptions& options) {
  GenerationRules& rules = *options.rules;
  if (flags.max_new_tokens > 0)
    options.max_new_tokens = flags.max_new_tokens;
  else if (settings.max_new_tokens > 0)
    options.max_new_tokens = settings.max_new_tokens;
  else
    options.max_length = settings.max_length;
  if (flags.min_new_tokens >= 0) {
    rules.min_new_tokens = flags.min_new_tokens;
    rules.min_length = 0;
  }
}

}  // namespace

void GenerateFlags::visit(OptionVisitor& v) {
  v.option("prompt", prompt, {.help = "text to go on from; bart: to read"});
  v.option("prompts_file", prompts_file, {.help = "file with a prompt a line; - = stdin"});
  v.option("max_new_tokens", max_new_tokens,
           {.help = "most tokens behind the prompt; 0 = folder's, else 50", .min = 0});
  v.option("min_new_tokens", min_new_tokens, {.help = "no end before; -1 = folder's", .min = -1});
  v.option("temperature", temperature,
           {.help = "0 = the likeliest; -1 = folder's, else 0", .min = -1, .max = 100});
  v.option("top_k", top_k, {.help = "the k likeliest; 0 = all; -1 = folder's", .min = -1});
  v.option("top_p", top_p,
           {.help = "the likeliest that reach this share; -1 = folder's", .min = -1, .max = 1});
  v.option("min_p", min_p,
           {.help = "not below this share of the likeliest; -1 = folder's", .min = -1, .max = 1});
  v.option("repetition_penalty", repetition_penalty,
           {.help = "above 1: less of what was there; 0 = folder's", .min = 0, .max = 100});
  v.option("no_repeat_ngram_size", no_repeat_ngram_size,
           {.help = "no run of so many tokens twice; 0 = off; -1 = folder's", .min = -1});
  v.option("num_beams", num_beams, {.help = "beam search with so many; 0 = folder's", .min = 0, .max = 1000});
  v.option("length_penalty", length_penalty,
           {.help = "beams: above 0 for long texts; -100 = folder's", .min = -100, .max = 10});
  v.option("early_stopping", early_stopping,
           {.help = "beams: end with the first; \"\" = folder's", .choices = {"", "yes", "no", "never"}});
  v.option("cache", cache, {.help = "memory; the same text, slowly"});
  v.option("seed", seed, {.help = "of what is drawn", .min = 0});
  v.option("stop", stop, {.help = "the text ends before this; may be repeated"});
  v.option("device", device, {.help = "where", .choices = {"cpu", "cuda"}});
  v.option("threads", threads, {.help = "0 = all cores", .min = 0});
  v.option("json", json, {.help = "one JSON object a prompt"});
  v.option("quiet", quiet, {.help = "show the text when it is complete"});
}

GenerateOptions generate_options(const GenerateFlags& flags, const NamedText& named,
                                 const std::string& folder, std::vector<std::string>& notes) {
  constexpr const char* kFile = "generation_config.json";
  const auto file = named.files.find(kFile);
  const GenerationSettings settings =
      file == named.files.end()
          ? GenerationSettings{}
          : parse_generation_settings(file->second, (fs::path(folder) / kFile).string());
  if (!settings.stated.empty())
    notes.push_back(
        fmt::format("as the folder says, where no flag does: {}", fmt::join(settings.stated, ", ")));
  if (!settings.left_out.empty())
    notes.push_back(fmt::format("the folder's generation settings that are not supported and left out: {}",
                                fmt::join(settings.left_out, ", ")));
  GenerateOptions options;
  options.rules = settings.rules;
  if (options.rules->ends.empty()) options.rules->ends = default_rules(named.model->config()).ends;
  options.rules->no_repeat_ngram =
      given_or<std::int64_t>(flags.no_repeat_ngram_size, -1, options.rules->no_repeat_ngram);
  settle_drawing(flags, settings, options, notes);
  settle_lengths(flags, settings, options);
  options.sampling.repetition_penalty = given_or(flags.repetition_penalty, 0.0, settings.repetition_penalty);
  options.sampling.seed = static_cast<std::uint64_t>(flags.seed);
  if (flags.length_penalty > -100 && flags.length_penalty < -10)
    fail(ExitCode::usage, "--length-penalty: got {:g}, expected -10 ... 10", flags.length_penalty);
  options.length_penalty = given_or(flags.length_penalty, -100.0, settings.length_penalty);
  options.early_stopping = given_or(flags.early_stopping, std::string(), settings.early_stopping);
  options.cache = flags.cache;
  return options;
}

}  // namespace mgd
