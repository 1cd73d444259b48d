#include "mgd/cli/demo_text.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "mgd/cli/builtin_text.h"
#include "mgd/cli/demo.h"
#include "mgd/cli/training.h"
#include "mgd/core/clock.h"
#include "mgd/core/error.h"
#include "mgd/core/make_folder.h"
#include "mgd/eval/frequency_baseline.h"
#include "mgd/front/text.h"
#include "mgd/generate/fill_mask.h"
#include "mgd/generate/generate_text.h"
#include "mgd/text/excerpt.h"
#include "mgd/text/train_tokenizer.h"
#include "mgd/text/utf8.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

constexpr double kHeldOut = 0.1;
constexpr std::size_t kLeastBytes = 20'000;  // below, nothing is learned and little is held out
constexpr std::uint64_t kMostBytes = std::uint64_t{32} << 20;  // minutes would not be enough to read it
constexpr std::uint64_t kSeed = 1;
constexpr std::size_t kGaps = 9, kContinuations = 6;
constexpr std::size_t kPromptWords = 5;
constexpr std::int64_t kGuesses = 3;
constexpr std::int64_t kNewTokens = 48;
constexpr std::int64_t kMaskedVocabulary = 2500, kCausalVocabulary = 1500;

std::string source_text(const DemoFlags& flags) {
  if (flags.data.empty()) return std::string(builtin_text());
  std::string text = read_file(flags.data, kMostBytes);
  if (text.size() < kLeastBytes)
    fail(ExitCode::bad_data,
         "demo: {}: got a text of {} bytes, expected at least {} to learn from; without --data the demo has "
         "Shakespeare's",
         printable(flags.data), text.size(), kLeastBytes);
  return valid_utf8(text);
}

fs::path learn_tokens(const fs::path& folder, const TokenizerTraining& options) {
  const std::vector<fs::path> files{folder / "text/train.txt"};
  const fs::path tokens = folder / (options.kind == "bpe" ? "causal-tokens" : "masked-tokens");
  write_tokenizer(train_tokenizer(files, options), tokens, /*overwrite=*/true);
  return tokens;
}

DemoModel learn(DemoModel model, const fs::path& folder, const fs::path& tokens, const DemoFlags& flags,
                Console& console) {
  const auto place = [](const char* key, const fs::path& path) {
    return fmt::format("{}={}", key, json(fs::absolute(path).string()).dump());
  };
  std::vector<std::string> overrides{place("data.path", folder / "text"), place("text.tokenizer", tokens),
                                     place("run.dir", folder / model.key),
                                     fmt::format("run.threads={}", flags.threads)};
  if (flags.steps > 0) overrides.push_back(fmt::format("train.max_steps={}", flags.steps));
  const Config config = load_config("demo-text-" + model.key, overrides);
  const TrainingOutcome outcome = run_training(config, {.overwrite = true}, "model", console);
  if (outcome.exit_code != 0) throw Error(static_cast<ExitCode>(outcome.exit_code), "demo: stopped");
  const RunResult& result = outcome.result;
  model.architecture = result.student.summary.architecture;
  model.parameters = result.student.summary.parameters;
  model.steps = result.training.steps;
  model.seconds = result.training.seconds;
  model.loss = figure(result.student.measures.figures, "loss");
  model.accuracy = figure(result.student.measures.figures, "accuracy");
  model.baseline = frequency_baseline(config);
  return model;
}

// A text without blanks is one long word of many tokens.
bool fits(const NamedText& model, const std::string& text, std::int64_t room) {
  const Encoding encoding = model.tokenizer.encode(text, {.file_limits = false});
  return static_cast<std::int64_t>(encoding.size()) + room <= model.max_length;
}

std::vector<ReportGap> fill_gaps(const NamedText& masked, const std::vector<std::string>& sentences) {
  std::vector<ReportGap> gaps;
  std::vector<std::string> texts;
  const std::string mask = masked.tokenizer.token_of(mask_id(masked.tokenizer));
  for (std::size_t i = 0; i < sentences.size() && gaps.size() < kGaps; ++i) {
    RandomStream random(random_key(kSeed, "demo/gap"), 0, i);
    const auto hidden = hide_word(masked.tokenizer, on_one_line(sentences[i]), random);
    if (!hidden || !fits(masked, sentences[i], 1)) continue;
    gaps.push_back({.before = hidden->before, .truth = hidden->word, .after = hidden->after, .guesses = {}});
    texts.push_back(hidden->before + mask + hidden->after);
  }
  const auto filled = fill_mask(*masked.model, masked.tokenizer, texts, {.top = kGuesses});
  for (std::size_t i = 0; i < gaps.size(); ++i)
    for (const MaskGuess& guess : filled[i].masks.at(0))
      gaps[i].guesses.emplace_back(guess.token_str, guess.score);
  return gaps;
}

std::vector<ReportContinuation> continue_sentences(const NamedText& causal,
                                                   const std::vector<std::string>& sentences) {
  std::vector<ReportContinuation> continuations;
  std::vector<TextPrompt> prompts;
  for (const std::string& sentence : sentences) {
    auto [prompt, rest] = after_words(sentence, kPromptWords);
    if (!fits(causal, prompt, kNewTokens)) continue;
    prompts.push_back({.text = prompt, .sample = prompts.size()});
    continuations.push_back({.prompt = std::move(prompt), .text = "", .original = on_one_line(rest)});
  }
  const auto written = generate_text(
      *causal.model, causal.tokenizer, prompts,
      {.sampling = {.temperature = 0.8, .top_p = 0.9, .seed = kSeed}, .max_new_tokens = kNewTokens});
  for (std::size_t i = 0; i < written.size(); ++i) {
    std::string& text = continuations[i].text = written[i].text;
    text.erase(text.find_last_not_of(" \n") + 1);
  }
  return continuations;
}

void print_model(const DemoModel& model) {
  fmt::print("{:<13} {:<10} {:>10} {:>9.2f} {:>13.2f} {:>13.1f} %\n", model.name, model.architecture,
             model.parameters, model.loss, model.baseline, 100 * model.accuracy);
}

void print_result(const DemoTextResult& result, const fs::path& folder) {
  fmt::print("\nOn the held-out part, in nats a token (less is better):\n\n");
  fmt::print("{:<13} {:<10} {:>10} {:>9} {:>13} {:>15}\n", "model", "", "parameters", "its loss",
             "by frequency", "first is right");
  print_model(result.masked);
  print_model(result.causal);
  if (!result.gaps.empty()) fmt::print("\nGaps filled (the word of the text in brackets):\n");
  for (const ReportGap& gap : result.gaps) {
    fmt::print("\n{}", wrapped(" ", 2, terminal_text(gap.before + "[" + gap.truth + "]" + gap.after)));
    std::string line = "   ";
    for (const auto& [word, probability] : gap.guesses)
      line += fmt::format("  {:.0f} % {}{}", 100 * probability, terminal_text(word),
                          word == gap.truth ? " <-" : "");
    fmt::print("{}\n", line);
  }
  if (!result.continuations.empty()) fmt::print("\nSentences continued (what is given | what is written):\n");
  for (const ReportContinuation& c : result.continuations)
    fmt::print("\n{}", wrapped(" ", 2, terminal_text(on_one_line(c.prompt) + " | " + on_one_line(c.text))));
  fmt::print("\n");
  for (const auto& line : demo_text_findings(result)) fmt::print("{}", wrapped("-", 2, line));
  fmt::print("\n{:.0f} s in all. Report: {}\n", result.seconds, (folder / "report.html").string());
  fmt::print("Next:  mgd fill-mask {} 'my [MASK] is dead'\n", (folder / "mlm/model").string());
  fmt::print("       mgd generate {} --prompt 'JULIET:' --temperature 0.8\n",
             (folder / "clm/model").string());
}

void split_text(const std::string& text, const fs::path& folder, DemoTextResult& result) {
  const auto [train, held_out] = split_off_end(text, kHeldOut);
  make_folder(folder / "text");
  write_file_atomic(folder / "text/train.txt", train);
  write_file_atomic(folder / "text/held-out.txt", held_out);
  result.train_bytes = train.size();
  result.held_out_bytes = held_out.size();
  result.sentences = short_sentences(held_out, 7, 18, 2 * (kGaps + kContinuations));
}

}  // namespace

int demo_text(const DemoFlags& flags) {
  const double start = now_seconds();
  const fs::path folder = flags.run_dir.empty() ? "runs/demo-text" : flags.run_dir;
  DemoTextResult result{.text_name = flags.data.empty()
                                         ? "Shakespeare (public domain)"
                                         : printable(fs::path(flags.data).filename().string())};
  Console console(flags.quiet, "auto");
  Console progress = Console::progress_only(flags.quiet, "auto");
  split_text(source_text(flags), folder, result);
  console.stage(fmt::format("text: {} kB of {}; {} kB more are held out", result.train_bytes / 1000,
                            result.text_name, result.held_out_bytes / 1000));
  const fs::path masked_tokens = learn_tokens(folder, {.kind = "wordpiece", .vocab_size = kMaskedVocabulary});
  const fs::path causal_tokens = learn_tokens(folder, {.kind = "bpe", .vocab_size = kCausalVocabulary});
  console.stage("masked model: a small ModernBERT learns to fill gaps");
  result.masked = learn({.name = "masked model", .key = "mlm", .target = "hidden token"}, folder,
                        masked_tokens, flags, progress);
  console.stage("causal model: a small GPT-2 learns to go on");
  result.causal = learn({.name = "causal model", .key = "clm", .target = "next token"}, folder, causal_tokens,
                        flags, progress);
  const NamedText masked = open_named_text((folder / "mlm/model").string(), "demo", {TextHead::masked_lm});
  const NamedText causal = open_named_text((folder / "clm/model").string(), "demo", {TextHead::causal_lm});
  const auto shown = spread_out(result.sentences, 2 * (kGaps + kContinuations));
  // Every other one, so that gaps and continuations are of the whole held-out part and never of one sentence.
  std::vector<std::string> for_gaps, to_continue;
  for (std::size_t i = 0; i < shown.size(); ++i) (i % 2 == 0 ? for_gaps : to_continue).push_back(shown[i]);
  result.gaps = fill_gaps(masked, for_gaps);
  result.continuations = continue_sentences(causal, spread_out(to_continue, kContinuations));
  result.seconds = now_seconds() - start;
  write_demo_text_report(result, masked, causal, folder);
  print_result(result, folder);
  return 0;
}

}  // namespace mgd
