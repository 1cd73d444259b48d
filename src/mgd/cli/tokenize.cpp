#include <fmt/core.h>
#include <fmt/ranges.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/text/tokenizer.h"
#include "mgd/text/train_tokenizer.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

struct TokenizeFlags {
  bool json = false, decode = false, special = true, train = false, lowercase = true, overwrite = false;
  std::int64_t max_length = 0, vocab_size = 8000, min_frequency = 2;
  std::string kind = "wordpiece", out;
  void visit(OptionVisitor& v) {
    v.option("json", json, {.help = "one JSON object a text"});
    v.option("decode", decode, {.help = "show the text that the ids decode to as well"});
    v.option("special", special, {.help = "put in [CLS], [SEP], <s>, ... as the tokenizer says"});
    v.option("max_length", max_length,
             {.help = "at most so many tokens; 0 = as the tokenizer says", .min = 0});
    v.option("train", train, {.help = "learn a tokenizer from the text files that are named instead"});
    v.option("kind", kind,
             {.help = "of the tokenizer to learn: BERT's WordPiece, RoBERTa's byte-level BPE, characters",
              .choices = {"wordpiece", "bpe", "char"}});
    v.option("vocab_size", vocab_size,
             {.help = "tokens to learn, special ones included", .min = 1, .max = 1e6});
    v.option("min_frequency", min_frequency,
             {.help = "how often a token must occur to be learned", .min = 1});
    v.option("lowercase", lowercase, {.help = "WordPiece: drop case and accents"});
    v.option("out", out, {.help = "folder for the tokenizer that is learned"});
    v.option("overwrite", overwrite, {.help = "replace a tokenizer that is there"});
  }
};

void print_json(const std::string& text, const Encoding& encoding, const std::string* decoded) {
  json line{
      {"input", text}, {"ids", encoding.ids}, {"tokens", encoding.pieces}, {"offsets", encoding.offsets}};
  if (decoded != nullptr) line["decoded"] = *decoded;
  fmt::print("{}\n", line.dump(-1, ' ', false, json::error_handler_t::replace));
}

void print_table(const Encoding& encoding, const std::string* decoded) {
  for (std::size_t i = 0; i < encoding.size(); ++i)
    fmt::print("{:>8}  {:<24} {}-{}\n", encoding.ids[i], printable(encoding.pieces[i]),
               encoding.offsets[i].first, encoding.offsets[i].second);
  if (decoded != nullptr) fmt::print("{}\n", printable(*decoded));
}

void tokenize_text(const Tokenizer& tokenizer, const std::string& text, const TokenizeFlags& flags) {
  const Encoding encoding =
      tokenizer.encode(text, {.add_special = flags.special, .max_length = flags.max_length, .pieces = true});
  std::string decoded;
  if (flags.decode) decoded = tokenizer.decode(encoding.ids);
  if (flags.json)
    print_json(text, encoding, flags.decode ? &decoded : nullptr);
  else
    print_table(encoding, flags.decode ? &decoded : nullptr);
}

int run_train(const std::vector<std::string>& args, const TokenizeFlags& flags) {
  if (flags.out.empty())
    fail(ExitCode::usage, "tokenize: --train needs --out DIR, the folder for the tokenizer");
  const std::vector<fs::path> files(args.begin(), args.end());
  const Tokenizer tokenizer = train_tokenizer(files, {.kind = flags.kind,
                                                      .vocab_size = flags.vocab_size,
                                                      .min_frequency = flags.min_frequency,
                                                      .lowercase = flags.lowercase});
  write_tokenizer(tokenizer, flags.out, flags.overwrite);
  if (flags.json)
    fmt::print("{}\n",
               json{{"out", flags.out}, {"kind", flags.kind}, {"vocab_size", tokenizer.vocab_size()}}.dump());
  else
    fmt::print("{}: {} tokenizer with {} tokens\n", flags.out, flags.kind, tokenizer.vocab_size());
  return 0;
}

int run_tokenize(const std::vector<std::string>& args, const TokenizeFlags& flags) {
  if (flags.train) return run_train(args, flags);
  const Tokenizer tokenizer = Tokenizer::load(args[0]);
  if (args.size() == 1) fail(ExitCode::usage, "tokenize: no text; give texts, or - for the lines of stdin");
  for (std::size_t i = 1; i < args.size(); ++i) {
    if (args[i] != "-") {
      tokenize_text(tokenizer, args[i], flags);
      continue;
    }
    for (std::string line; std::getline(std::cin, line);) tokenize_text(tokenizer, line, flags);
  }
  return 0;
}

}  // namespace

Verb tokenize_verb() {
  auto flags = std::make_shared<TokenizeFlags>();
  return {.name = "tokenize",
          .help = "shows the tokens of a text, or learns a tokenizer from text files",
          .example = "mgd tokenize bert/ 'a text'",
          .positional_name = "TOKENIZER [TEXT ...]",
          .positional_help =
              "a tokenizer.json or a folder with one, and texts (- stands for the lines of stdin); "
              "with --train, text files",
          .positional_required = true,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_tokenize(args, *flags); }};
}

}  // namespace mgd
