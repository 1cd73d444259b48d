// The splits of a text dataset, from a recipe.
#pragma once

#include "mgd/data/text_source.h"
#include "mgd/format/config.h"

namespace mgd {

// Documents of a split that could not be read and are no samples of it.
struct UnreadDocuments {
  std::string where;                         // "train (a.jsonl)"
  std::int64_t documents = 0, of = 0;        // unread ones, of all
  std::map<std::string, std::string> first;  // the first of them: "FILE:LINE" -> what is wrong
};

struct TextDataset {
  std::shared_ptr<const TextSource> train, validation, test;  // the last two may be null
  std::vector<std::string> class_names;  // task classify: index = label; empty without labels
  std::string fingerprint;               // SHA-256 over the tokenizer, the bytes of all files, the options
  // What was repaired, cut or left out by rule, each with its count: "train (a.txt)" -> "2 blank lines ...".
  std::map<std::string, std::string> changes;
  std::vector<UnreadDocuments> unread;  // of the splits that have any
  std::vector<std::string> notes;       // what a person may want to know of the stores: damaged, made new
};

// Opens data.path for config.task: a file, or a folder in which data.train, text.validation and data.test
// name files or folders of files (with or without their ending .txt, .jsonl, .csv, .tsv). Beside a file, the
// other splits are looked for in its folder. No test split of the default name is no error; neither is an
// empty name.
//
// Without text.validation the fraction data.validation of the training split is held out: of blocks the last
// tokens, otherwise document i of n iff floor((i+1) f) > floor(i f).
//
// The classes are the labels of `train`, sorted by number where all are numbers, else by name: stars from 1
// to 5 are five classes "1" ... "5". Labels with fractions are refused: they are scores.
//
// An empty text.target leaves labels and scores out, as for prediction; plain text will then do.
//
// Corpora are tokenised into `cache_dir` once (see tokenize_corpus.h). Throws Error(missing_input) for files
// that are not there (those that are get named), Error(bad_data) for content that does not fit,
// Error(usage) for options that do not.
TextDataset open_text(const Config& config, const Tokenizer& tokenizer, const fs::path& cache_dir);

// text.cache_dir, else the folder "tokens" in that of the run.
fs::path token_cache_dir(const Config& config);

// text.tokenizer, else the folder of the teacher or student when it holds a tokenizer.json. Throws
// Error(usage) when there is none.
fs::path tokenizer_path(const Config& config);

}  // namespace mgd
