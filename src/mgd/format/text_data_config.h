// What a recipe says of text: where it is, how it becomes samples, and what is to be predicted of them.
#pragma once

#include "mgd/format/options.h"

namespace mgd {

struct TextDataConfig {
  std::string tokenizer;              // tokenizer.json, or a folder with one
  std::string format = "auto";        // auto | lines | paragraphs | file | jsonl | csv | tsv
  std::vector<std::string> columns;   // of the text, one or two; names or numbers from 0
  std::string target = "label";       // column of the label or score
  std::string validation;             // name of a validation split inside data.path; "" = data.validation
  std::string samples = "documents";  // documents | blocks | packed
  std::int64_t max_length = 128;      // tokens of one sample, special ones included
  std::string prompt;                 // put before each text
  std::string cache_dir;              // of tokenised corpora; "" = the run folder's
  void visit(OptionVisitor& v);
};

struct ObjectiveConfig {
  double mask_ratio = -1;          // -1: 0.15 for mlm, 0.3 for denoise
  std::string rule = "bernoulli";  // bernoulli | exact
  bool whole_word = false;         // words are hidden as a unit
  bool spans = false;              // mlm: stretches of units, of geometric length
  double span_p = 0.2;             // mlm: parameter of that length
  std::int64_t span_max = 10;      // mlm: longest
  double span_mean = 3;            // denoise: mean of the Poisson length
  double mask_frac = 0.8;          // mlm: hidden positions that become the mask token
  double random_frac = 0.1;        // mlm: that become a random one; the rest stays as it is
  std::int64_t variants = 0;       // masks of each sample, cycled by epoch; 0 = new ones every epoch
  double permute_sentences = 1;    // denoise: share of documents whose sentences change places
  void visit(OptionVisitor& v);

  double ratio_for(std::string_view task) const {
    return mask_ratio >= 0 ? mask_ratio : task == "denoise" ? 0.3 : 0.15;
  }
};

}  // namespace mgd
