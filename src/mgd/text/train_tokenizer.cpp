#include "mgd/text/train_tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/make_folder.h"
#include "mgd/text/byte_level.h"
#include "mgd/text/lines.h"
#include "mgd/text/tokenizer_templates.h"
#include "mgd/text/train_merges.h"
#include "mgd/text/utf8.h"

namespace mgd {

namespace {

constexpr std::size_t kMaxWordBytes = 1024;
// BERT's own vocabulary has about this many characters; the rest of a text's are rare, and unknown.
constexpr std::size_t kMaxAlphabet = 1000;

// Lines in UTF-8, repaired where they are none.
template <class F>
void each_line(std::span<const fs::path> files, TrainingTexts& read, const F& use) {
  std::string line;
  for (const fs::path& file : files)
    for (LineReader reader(file); reader.next(line);) {
      if (valid_utf8_prefix(line) < line.size()) line = valid_utf8(line, &read.num_invalid);
      use(line);
    }
}

WordCounts count_words(std::span<const fs::path> files, const Tokenizer& stages, TrainingTexts& read) {
  WordCounts out;
  each_line(files, read, [&](const std::string& line) {
    for (std::string& word : stages.words(line)) {
      if (word.size() <= kMaxWordBytes)
        ++out[std::move(word)];
      else
        ++read.num_long_words;
    }
  });
  return out;
}

// The most frequent characters, in the order of their code points.
std::vector<std::string> count_characters(std::span<const fs::path> files, const TokenizerTraining& options,
                                          std::size_t room, TrainingTexts& read) {
  std::map<char32_t, std::int64_t> counts;
  each_line(files, read, [&](const std::string& text) {
    for (std::size_t at = 0; at < text.size();) ++counts[next_code_point(text, at)];
  });
  std::vector<std::pair<std::int64_t, char32_t>> ranked;
  for (const auto& [c, count] : counts)
    if (count >= options.min_frequency) ranked.emplace_back(-count, c);
  std::sort(ranked.begin(), ranked.end());
  if (ranked.size() > room) ranked.resize(room);
  std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  std::vector<std::string> out;
  for (const auto& [count, c] : ranked) out.push_back(to_utf8(c));
  return out;
}

LearnedMerges learn(std::span<const fs::path> files, const TokenizerTraining& options,
                    const std::vector<std::string>& special, TrainingTexts& read) {
  const auto size = static_cast<std::size_t>(options.vocab_size);
  LearnedMerges out;
  if (options.kind == "char") {
    out.vocab = special;
    for (std::string& c : count_characters(files, options, size - special.size(), read))
      out.vocab.push_back(std::move(c));
    return out;
  }
  const Tokenizer stages = Tokenizer::from_json(
      tokenizer_template(options.kind, options.lowercase, {.vocab = special}), "training");
  MergeTraining training{.vocab_size = size,
                         .min_frequency = static_cast<std::uint64_t>(options.min_frequency),
                         .special_tokens = special};
  if (options.kind == "bpe") {
    training.alphabet.assign(byte_characters().begin(), byte_characters().end());
  } else {
    training.max_alphabet = kMaxAlphabet;
    training.prefix = "##";
  }
  return learn_merges(count_words(files, stages, read), training);
}

}  // namespace

Tokenizer train_tokenizer(std::span<const fs::path> files, const TokenizerTraining& options,
                          TrainingTexts* read) {
  const std::vector<std::string> special = template_special_tokens(options.kind);
  if (options.vocab_size <= static_cast<std::int64_t>(special.size()))
    fail(ExitCode::usage, "vocab_size: got {}, expected more than the {} special tokens", options.vocab_size,
         special.size());
  if (files.empty()) fail(ExitCode::usage, "training a tokenizer: no files");
  TrainingTexts here;
  const LearnedMerges learned = learn(files, options, special, here);
  if (read != nullptr) *read = here;
  const std::size_t given = special.size() + (options.kind == "bpe" ? 256 : 0);
  if (learned.vocab.size() <= given && learned.merges.empty() &&
      options.vocab_size > static_cast<std::int64_t>(given))
    fail(ExitCode::bad_data, "{}: no text to learn a vocabulary from (every word below min_frequency {}?)",
         files[0].string(), options.min_frequency);
  return Tokenizer::from_json(tokenizer_template(options.kind, options.lowercase, learned),
                              "trained tokenizer");
}

void write_tokenizer(const Tokenizer& tokenizer, const fs::path& folder, bool overwrite) {
  const fs::path files[] = {folder / "tokenizer.json", folder / "tokenizer_config.json"};
  std::error_code error;
  for (const fs::path& file : files)
    if (fs::exists(file, error) && !overwrite)
      fail(ExitCode::cannot_create, "{}: is there already; name another folder, or overwrite", file.string());
  make_folder(folder);
  write_file_atomic(files[0], tokenizer.to_json());
  write_file_atomic(files[1], tokenizer_config(tokenizer));
}

}  // namespace mgd
