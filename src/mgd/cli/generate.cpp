#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "mgd/cli/generate_flags.h"
#include "mgd/cli/text.h"
#include "mgd/cli/text_input.h"
#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/generate/generate_text.h"
#include "mgd/nn/device.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

constexpr std::int64_t kBatch = 16;  // prompts at a time; it changes no text

void check_source(const GenerateFlags& flags) {
  if (flags.prompt.empty() == flags.prompts_file.empty())
    fail(ExitCode::usage, "generate: {}; give --prompt TEXT or --prompts-file FILE (- = stdin)",
         flags.prompt.empty() ? "there is no prompt" : "got two sources of prompts");
}

void print(const std::string& text) {
  fmt::print("{}", terminal_text(text));
  std::fflush(stdout);
}

// Generates for batches of prompts as they come.
class TextAnswers {
 public:
  TextAnswers(NamedText& named, const GenerateOptions& options, const GenerateFlags& flags)
      : named_(named),
        options_(options),
        flags_(flags),
        streams_(!flags.prompt.empty() && !flags.json && !flags.quiet) {}

  void answer(std::span<const std::string> texts) {
    std::vector<TextPrompt> batch;
    for (const std::string& text : texts) batch.push_back({.text = text, .sample = num_prompts_++});
    bool begun = false;  // a mistake in the prompt shows before anything is printed
    const auto stream = [&](std::size_t, const std::string& piece) {
      print((begun ? "" : head(texts[0])) + piece);
      begun = true;
    };
    const auto results = generate_text(*named_.model, named_.tokenizer, batch, options_, flags_.stop,
                                       streams_ ? OnText(stream) : OnText());
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::string whole = head(batch[i].text) + results[i].text;
      if (flags_.json)
        fmt::print(
            "{}\n",
            json{{"prompt", batch[i].text}, {"generated_text", whole}, {"tokens", results[i].tokens}}.dump(
                -1, ' ', false, json::error_handler_t::replace));
      else
        print((begun ? "" : whole) + "\n");
    }
  }

 private:
  std::string head(const std::string& prompt) const {
    return named_.model->config().encoder_decoder() ? std::string() : prompt;
  }

  NamedText& named_;
  const GenerateOptions& options_;
  const GenerateFlags& flags_;
  const bool streams_;
  std::size_t num_prompts_ = 0;
};

int run_generate(const std::vector<std::string>& args, const GenerateFlags& flags) {
  check_source(flags);
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  NamedText named = open_named_text(args[0], "generate", {TextHead::causal_lm});
  GenerateOptions options = generate_options(flags, named, args[0], named.notes);
  print_notes(named.notes, flags.quiet);
  options.device = open_device(flags.device, "--device");
  named.model->to(options.device);
  TextAnswers answers(named, options, flags);
  const auto visit = [&](std::span<const std::string> texts) { answers.answer(texts); };
  if (flags.prompts_file.empty())
    visit({&flags.prompt, 1});
  else
    for_file_batches(flags.prompts_file, kBatch, visit);
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
