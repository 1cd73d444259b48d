// A text model and its folder.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mgd/io/text_folder.h"
#include "mgd/model/text_model.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

struct OpenedText {
  std::unique_ptr<TextModel> model;
  std::map<std::string, std::string>
      tokenizer;                   // what travels with the weights (TextFolder), to be saved with a student
  std::vector<std::string> fresh;  // tensors of a head that the folder lacks
  std::vector<std::string> notes;  // what a person may want to know: guessed, left out
};

// The classes of a classification head as somebody wants them.
struct LabelFit {
  std::int64_t num_labels = 0;
  std::vector<std::string> names;
  std::vector<std::int64_t> rows;  // of the folder's output layer, for each class; empty: as they are
  bool fresh = false;              // the folder's output layer does not count
};

// What to make of the folder; what is not given stays as the folder says.
struct OpenTextOptions {
  std::optional<TextHead>
      head;  // another head: it keeps initial values (from `seed`) where the folder has none
  // A head for a folder that holds a body alone, whose output layer is its table of embeddings: BART and
  // GPT-2 as they are published without a head can generate all the same.
  std::optional<TextHead> head_of_body;
  // What becomes of the classes, told what the folder's model is; not given, or an answer without labels:
  // they stay.
  std::function<LabelFit(const TextConfig& own)> fit_labels;
  std::vector<std::int64_t> layers;         // that are kept, ascending; empty: all. Of both stacks of an
                                            // encoder-decoder. Error(usage) for one that is not there
  std::function<void(TextConfig&)> adjust;  // last changes, before the model is made
  std::uint64_t seed = 1;
};

// Throws like load_text_folder, and Error(bad_data) listing tensors that do not fit.
OpenedText open_text_folder(const std::string& folder, const OpenTextOptions& options = {});

// The names of a classifier's classes. transformers calls those without names LABEL_0, LABEL_1, ...: "0",
// "1", ... here.
std::vector<std::string> label_names_of(const TextConfig& config);

// Whether the model knows every token of the tokenizer, but for one of padding, which is never read here:
// many add that to GPT-2's vocabulary and leave the model as it is.
bool knows_tokens(const TextModel& model, const Tokenizer& tokenizer);

void save_text_model(const std::string& folder, const TextModel& model,
                     const std::map<std::string, std::string>& tokenizer = {});
void save_text_model(const std::string& folder, const TextConfig& config, const TensorMap& tensors,
                     const std::map<std::string, std::string>& tokenizer);

}  // namespace mgd
