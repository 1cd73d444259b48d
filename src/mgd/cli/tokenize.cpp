#include <fmt/core.h>
#include <fmt/ranges.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/text/lines.h"
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
    v.option("decode", decode, {.help = "show what the ids decode to as well"});
    v.option("special", special, {.help = "special tokens around the text"});
    v.option("max_length", max_length, {.help = "most tokens of a text; 0 = as in its file", .min = 0});
    v.option("train", train, {.help = "learn one from the files that are named"});
    v.option("kind", kind, {.help = "to learn", .choices = {"wordpiece", "bpe", "char"}});
    v.option("vocab_size", vocab_size, {.help = "tokens to learn", .min = 1, .max = 1e6});
    v.option("min_frequency", min_frequency, {.help = "of a token to learn", .min = 1});
    v.option("lowercase", lowercase, {.help = "WordPiece: drop case and accents"});
    v.option("out", out, {.help = "folder for what is learned"});
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

// Gives the number of places that were no UTF-8.
std::int64_t tokenize_text(const Tokenizer& tokenizer, const std::string& text, const TokenizeFlags& flags) {
  const Encoding encoding =
      tokenizer.encode(text, {.add_special = flags.special, .max_length = flags.max_length, .pieces = true});
  std::string decoded;
  if (flags.decode) decoded = tokenizer.decode(encoding.ids);
  if (flags.json)
    print_json(text, encoding, flags.decode ? &decoded : nullptr);
  else
    print_table(encoding, flags.decode ? &decoded : nullptr);
  return encoding.num_invalid;
}

std::int64_t tokenize_lines(const Tokenizer& tokenizer, const TokenizeFlags& flags) {
  std::int64_t num_invalid = 0;
  LineReader lines(std::cin, "stdin");
  for (std::string line; lines.next(line);) {
    if (line.ends_with('\n')) line.pop_back();
    num_invalid += tokenize_text(tokenizer, line, flags);
  }
  if (lines.num_cut() > 0)
    fmt::print(stderr, "{} lines of more than {} bytes came in parts\n", lines.num_cut(),
               LineReader::kMaxBytes);
  return num_invalid;
}

int run_train(const std::vector<std::string>& args, const TokenizeFlags& flags) {
  if (flags.out.empty())
    fail(ExitCode::usage, "tokenize: --train needs --out DIR, the folder for the tokenizer");
  const std::vector<fs::path> files(args.begin(), args.end());
  TrainingTexts read;
  const Tokenizer tokenizer = train_tokenizer(files,
                                              {.kind = flags.kind,
                                               .vocab_size = flags.vocab_size,
                                               .min_frequency = flags.min_frequency,
                                               .lowercase = flags.lowercase},
                                              &read);
  if (read.num_invalid > 0)
    fmt::print(stderr, "{} places were no UTF-8 and count as U+FFFD\n", read.num_invalid);
  if (read.num_long_words > 0)
    fmt::print(stderr, "{} words of more than 1 KiB are left out\n", read.num_long_words);
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
  std::int64_t num_invalid = 0;
  for (std::size_t i = 1; i < args.size(); ++i)
    num_invalid +=
        args[i] == "-" ? tokenize_lines(tokenizer, flags) : tokenize_text(tokenizer, args[i], flags);
  if (num_invalid > 0) fmt::print(stderr, "{} places were no UTF-8 and count as U+FFFD\n", num_invalid);
  return 0;
}

}  // namespace

Verb tokenize_verb() {
  auto flags = std::make_shared<TokenizeFlags>();
  return {.name = "tokenize",
          .help = "shows the tokens of a text, or learns a tokenizer from text files",
          .example = "mgd tokenize --train a.txt --out tokens && mgd tokenize tokens 'a text'",
          .positional_name = "TOKENIZER TEXT ...",
          .positional_help = "a tokenizer.json or its folder; texts, - = lines of stdin",
          .positional_required = true,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_tokenize(args, *flags); }};
}

}  // namespace mgd
