#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/cli/open_text.h"
#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/front/text.h"
#include "mgd/generate/generate_text.h"
#include "mgd/nn/device.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t kBatch = 16;  // prompts at a time; it changes no text

struct GenerateFlags {
  std::string prompt, prompts_file, device = "cpu";
  GenerateOptions options;
  std::vector<std::string> stop;
  std::int64_t seed = 1, threads = 0;
  bool json = false, quiet = false;
  void visit(OptionVisitor& v) {
    v.option("prompt", prompt, {.help = "text to go on from; bart: to read"});
    v.option("prompts_file", prompts_file, {.help = "file with a prompt a line; - = stdin"});
    options.visit(v);
    v.option("seed", seed, {.help = "of what is drawn", .min = 0});
    v.option("stop", stop, {.help = "the text ends before this; may be repeated"});
    v.option("device", device, {.help = "where", .choices = {"cpu", "cuda"}});
    v.option("threads", threads, {.help = "0 = all cores", .min = 0});
    v.option("json", json, {.help = "one JSON object a prompt"});
    v.option("quiet", quiet, {.help = "show the text when it is complete"});
  }
};

std::vector<std::string> prompts_of(const GenerateFlags& flags) {
  if (flags.prompt.empty() == flags.prompts_file.empty())
    fail(ExitCode::usage, "generate: {}; give --prompt TEXT or --prompts-file FILE (- = stdin)",
         flags.prompt.empty() ? "there is no prompt" : "got two sources of prompts");
  return flags.prompts_file.empty() ? std::vector{flags.prompt} : text_lines(flags.prompts_file);
}

void print(const std::string& text) {
  fmt::print("{}", terminal_text(text));
  std::fflush(stdout);
}

int run_generate(const std::vector<std::string>& args, const GenerateFlags& flags) {
  const std::vector<std::string> texts = prompts_of(flags);
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  NamedText named = open_named_text(args[0], "generate", {TextHead::causal_lm});
  GenerateOptions options = flags.options;
  options.device = open_device(flags.device, "--device");
  options.sampling.seed = static_cast<std::uint64_t>(flags.seed);
  named.model->to(options.device);
  const bool goes_on = !named.model->config().encoder_decoder();
  const auto head = [&](const std::string& prompt) { return goes_on ? prompt : std::string(); };
  const bool streams = texts.size() == 1 && !flags.json && !flags.quiet;
  bool begun = false;  // a mistake in the prompt shows before anything is printed
  const auto stream = [&](std::size_t, const std::string& piece) {
    print((begun ? "" : head(texts[0])) + piece);
    begun = true;
  };
  for (std::size_t begin = 0; begin < texts.size(); begin += kBatch) {
    std::vector<TextPrompt> batch;
    for (std::size_t i = begin; i < std::min(begin + kBatch, texts.size()); ++i)
      batch.push_back({.text = texts[i], .sample = i});
    const auto results = generate_text(*named.model, named.tokenizer, batch, options, flags.stop,
                                       streams ? OnText(stream) : OnText());
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::string whole = head(batch[i].text) + results[i].text;
      if (flags.json)
        fmt::print(
            "{}\n",
            json{{"prompt", batch[i].text}, {"generated_text", whole}, {"tokens", results[i].tokens}}.dump(
                -1, ' ', false, json::error_handler_t::replace));
      else
        print((begun ? "" : whole) + "\n");
    }
  }
  return 0;
}

}  // namespace

Verb generate_verb() {
  auto flags = std::make_shared<GenerateFlags>();
  return {.name = "generate",
          .help = "text that goes on from a prompt (gpt2), or is made from one (bart)",
          .example = "mgd generate gpt2/ --prompt 'Once upon' --temperature 0.8 --top-p 0.9",
          .positional_name = "MODEL",
          .positional_help = "a folder of a decoder or an encoder-decoder",
          .positional_required = true,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_generate(args, *flags); },
          .positional_max = 1};
}

}  // namespace mgd
