#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/topk.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/cli/open_text.h"
#include "mgd/cli/predict.h"
#include "mgd/cli/row_of.h"
#include "mgd/core/error.h"
#include "mgd/eval/text_eval.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

Encoding encoding_of(const Tokenizer& tokenizer, const std::string& text, bool pair,
                     const EncodeOptions& options) {
  if (!pair) return tokenizer.encode(text, options);
  const std::size_t tab = text.find('\t');
  if (tab == std::string::npos)
    fail(ExitCode::usage, "'{}': --pairs takes two texts with a tab between them", printable(text));
  return tokenizer.encode_pair(std::string_view(text).substr(0, tab), std::string_view(text).substr(tab + 1),
                               options);
}

// A text that is too long is cut at its end, of a pair the longer one.
Batch batch_of(const NamedText& named, std::span<const std::string> texts, bool pairs,
               std::int64_t max_length) {
  std::vector<std::int64_t> ids, positions, types;
  Batch batch;
  batch.tokens.offsets = {0};
  for (const std::string& text : texts) {
    const Encoding encoding = encoding_of(named.tokenizer, text, pairs, {.max_length = max_length});
    ids.insert(ids.end(), encoding.ids.begin(), encoding.ids.end());
    types.insert(types.end(), encoding.type_ids.begin(), encoding.type_ids.end());
    for (std::size_t t = 0; t < encoding.size(); ++t) positions.push_back(static_cast<std::int64_t>(t));
    if (encoding.size() == 0) fail(ExitCode::bad_data, "'{}': it has no tokens", printable(text));
    batch.tokens.offsets.push_back(static_cast<std::int64_t>(ids.size()));
  }
  batch.tokens.ids = at::tensor(ids, at::kLong);
  batch.tokens.positions = at::tensor(positions, at::kLong);
  if (std::any_of(types.begin(), types.end(), [](std::int64_t type) { return type != 0; }))
    batch.tokens.type_ids = at::tensor(types, at::kLong);
  return batch;
}

// (K) -> (K), as transformers' text-classification pipeline chooses.
at::Tensor scores_of(const at::Tensor& logits, const TextConfig& config) {
  if (config.problem_type == "regression") return logits;
  const bool single = config.problem_type == "multi_label_classification" || config.num_labels == 1;
  return single ? logits.sigmoid() : logits.softmax(0);
}

std::string label_of(const TextConfig& config, std::int64_t c) {
  const auto i = static_cast<std::size_t>(c);
  return i < config.label_names.size() ? config.label_names[i] : fmt::format("LABEL_{}", c);
}

void print_classes(const std::string& input, const at::Tensor& logits, const TextConfig& config,
                   const PredictFlags& flags) {
  const auto [scores, classes] = scores_of(logits, config).topk(std::min(flags.top, logits.size(0)));
  json predictions = json::array();
  std::string line = printable(input) + ":";
  for (std::int64_t k = 0; k < scores.size(0); ++k) {
    const std::string label = label_of(config, classes[k].item<std::int64_t>());
    const auto score = scores[k].item<double>();
    predictions.push_back({{"label", label}, {"score", score}});
    line += config.problem_type == "regression" ? fmt::format("  {} {:.4f}", printable(label), score)
                                                : fmt::format("  {} {:.1f} %", printable(label), 100 * score);
  }
  json object{{"input", input}, {"predictions", predictions}};
  if (flags.logits) object["logits"] = row_of(logits);
  fmt::print("{}\n", flags.json ? object.dump(-1, ' ', false, json::error_handler_t::replace) : line);
}

void print_embedding(const std::string& input, const at::Tensor& embedding, const PredictFlags& flags) {
  const std::vector<double> row = row_of(embedding);
  if (flags.json)
    fmt::print("{}\n", json{{"input", input}, {"embedding", row}}.dump(-1, ' ', false,
                                                                       json::error_handler_t::replace));
  else
    fmt::print("{}: {:.5f}\n", printable(input), fmt::join(row, " "));
}

}  // namespace

int predict_texts(const std::vector<std::string>& args, const PredictFlags& flags) {
  NamedText named =
      open_named_text(args[0], "predict", {TextHead::sequence_classification, TextHead::encoder});
  const TextConfig& config = named.model->config();
  if (flags.max_length > named.model->max_tokens())
    fail(ExitCode::usage, "--max-length: got {}, but {} takes at most {} tokens", flags.max_length,
         named.model->architecture(), named.model->max_tokens());
  const std::int64_t max_length = flags.max_length > 0 ? flags.max_length : named.max_length;
  for_text_batches(std::span(args).subspan(1), flags.batch_size, [&](std::span<const std::string> texts) {
    const ModelOutput output =
        answer(*named.model, batch_of(named, texts, flags.pairs, max_length), {.precision = flags.precision});
    const bool embeds = config.head == TextHead::encoder;
    const at::Tensor rows = (embeds ? output.embedding : output.logits).to(at::kFloat);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const at::Tensor row = rows[static_cast<std::int64_t>(i)];
      if (embeds)
        print_embedding(texts[i], row, flags);
      else
        print_classes(texts[i], row, config, flags);
    }
  });
  return 0;
}

}  // namespace mgd
