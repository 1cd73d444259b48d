#include "mgd/generate/fill_mask.h"

#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "mgd/cli/open_text.h"
#include "mgd/cli/row_of.h"
#include "mgd/cli/text.h"
#include "mgd/cli/text_input.h"
#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

struct FillMaskFlags {
  std::int64_t top = 5, batch_size = 32, threads = 0;
  bool json = false, logits = false;
  void visit(OptionVisitor& v) {
    v.option("top", top, {.help = "guesses a mask", .min = 1});
    v.option("batch_size", batch_size, {.help = "texts of one forward pass", .min = 1});
    v.option("threads", threads, {.help = "0 = all cores", .min = 0});
    v.option("json", json, {.help = "one JSON object a text"});
    v.option("logits", logits, {.help = "with --json: the raw scores of the vocabulary too"});
  }
};

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

void print_json(const std::string& input, const FilledText& filled, bool logits) {
  json masks = json::array();
  for (const auto& guesses : filled.masks) {
    json list = json::array();
    for (const MaskGuess& guess : guesses)
      list.push_back({{"token", guess.token},
                      {"token_str", guess.token_str},
                      {"score", guess.score},
                      {"sequence", guess.sequence}});
    masks.push_back(std::move(list));
  }
  json object{{"input", input}, {"masks", std::move(masks)}};
  for (std::int64_t m = 0; logits && filled.logits.defined() && m < filled.logits.size(0); ++m)
    object["logits"].push_back(row_of(filled.logits[m]));
  fmt::print("{}\n", object.dump(-1, ' ', false, json::error_handler_t::replace));
}

void print_table(const std::string& input, const FilledText& filled) {
  fmt::print("{}\n", terminal_text(input));
  for (std::size_t m = 0; m < filled.masks.size(); ++m) {
    if (filled.masks.size() > 1) fmt::print(" mask {}\n", m + 1);
    for (const MaskGuess& guess : filled.masks[m])
      fmt::print("  {:>5.1f} %  {:<16} {}\n", 100 * guess.score, terminal_text(guess.token_str),
                 terminal_text(guess.sequence));
  }
}

int run_fill_mask(const std::vector<std::string>& args, const FillMaskFlags& flags) {
  if (args.size() < 2)
    fail(ExitCode::usage, "fill-mask: there is no text; give texts, or - for the lines of stdin");
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  NamedText named = open_named_text(args[0], "fill-mask", {TextHead::masked_lm});
  print_notes(named.notes, /*quiet=*/false);
  for_text_batches(std::span(args).subspan(1), flags.batch_size, [&](std::span<const std::string> texts) {
    std::vector<std::string> asked;  // a blank line has nothing to fill in, and its answer is empty
    for (const std::string& text : texts)
      if (!is_blank(text)) asked.push_back(text);
    const auto filled = fill_mask(*named.model, named.tokenizer, asked, {.top = flags.top});
    std::size_t next = 0;
    for (const std::string& text : texts) {
      const FilledText answer = is_blank(text) ? FilledText{} : filled[next++];
      if (flags.json)
        print_json(text, answer, flags.logits);
      else
        print_table(text, answer);
    }
  });
  return 0;
}

}  // namespace

Verb fill_mask_verb() {
  auto flags = std::make_shared<FillMaskFlags>();
  return {.name = "fill-mask",
          .help = "what a masked language model puts where a text is hidden",
          .example = "mgd fill-mask bert/ 'Paris is the [MASK] of France.' --top 3",
          .positional_name = "MODEL TEXT...",
          .positional_help = "a model folder; texts with mask tokens, - = lines of stdin",
          .positional_required = true,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_fill_mask(args, *flags); }};
}

}  // namespace mgd
