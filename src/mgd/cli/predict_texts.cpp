#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/topk.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/cli/open_text.h"
#include "mgd/cli/predict.h"
#include "mgd/cli/row_of.h"
#include "mgd/cli/text_input.h"
#include "mgd/core/error.h"
#include "mgd/eval/text_eval.h"
#include "mgd/nn/finite_rows.h"
#include "mgd/types/token_rows.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

Encoding encoding_of(const Tokenizer& tokenizer, const std::string& text, bool pair,
                     const EncodeOptions& options) {
  if (!pair) return tokenizer.encode(text, options);
  if (text.empty()) return {};  // a blank line is no pair, and its answer is empty
  const std::size_t tab = text.find('\t');
  if (tab == std::string::npos)
    fail(ExitCode::usage, "'{}': --pairs takes two texts with a tab between them", printable(text));
  return tokenizer.encode_pair(std::string_view(text).substr(0, tab), std::string_view(text).substr(tab + 1),
                               options);
}

Batch batch_of(std::span<const Encoding> encodings) {
  TokenRows rows;
  for (const Encoding& encoding : encodings) rows.add(encoding.ids, encoding.type_ids);
  Batch batch;
  batch.tokens = rows.tokens();
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

void print_object(const json& object) {
  fmt::print("{}\n", object.dump(-1, ' ', false, json::error_handler_t::replace));
}

// A text without tokens, e.g. a blank line for a model that puts nothing around a text: the answer is empty.
void print_nothing(const std::string& input, bool embeds, const PredictFlags& flags) {
  if (!flags.json)
    fmt::print("{}:\n", printable(input));
  else if (embeds)
    print_object({{"input", input}, {"embedding", nullptr}});
  else
    print_object({{"input", input}, {"predictions", json::array()}});
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
  if (flags.json)
    print_object(object);
  else
    fmt::print("{}\n", line);
}

void print_embedding(const std::string& input, const at::Tensor& embedding, const PredictFlags& flags) {
  const std::vector<double> row = row_of(embedding);
  if (flags.json)
    print_object({{"input", input}, {"embedding", row}});
  else
    fmt::print("{}: {:.5f}\n", printable(input), fmt::join(row, " "));
}

// A text that is too long is cut at its end (or as the tokenizer's truncation_side says), of a pair the
// longer one.
class TextAnswers {
 public:
  TextAnswers(const std::string& model, NamedText& named, const PredictFlags& flags, std::string prompt,
              std::int64_t max_length)
      : model_(model), named_(named), flags_(flags), prompt_(std::move(prompt)), max_length_(max_length) {}

  // Texts of which the model did not see everything.
  std::int64_t num_cut() const { return num_cut_; }
  std::int64_t max_length() const { return max_length_; }

  void answer(std::span<const std::string> texts) {
    std::vector<Encoding> encodings;
    std::vector<std::int64_t> rows;  // of each text; -1: it has no tokens
    for (const std::string& text : texts) {
      Encoding encoding =
          encoding_of(named_.tokenizer, prompt_ + text, flags_.pairs, {.max_length = max_length_});
      if (encoding.num_left_out > 0) ++num_cut_;
      // A static model answers a text without tokens too: with zeros.
      const bool asked = encoding.size() > 0 || named_.model->config().is_static();
      rows.push_back(asked ? static_cast<std::int64_t>(encodings.size()) : -1);
      if (asked) encodings.push_back(std::move(encoding));
    }
    Record output;
    if (!encodings.empty())
      output = mgd::answer(*named_.model, batch_of(encodings), {.precision = flags_.precision});
    const bool embeds = named_.model->config().head == TextHead::encoder;
    const at::Tensor& all = embeds ? output.embedding : output.logits;
    if (!encodings.empty())
      require_finite_rows(all, model_, [&](std::int64_t row) {
        const auto text = std::find(rows.begin(), rows.end(), row) - rows.begin();
        return "'" + printable(texts[static_cast<std::size_t>(text)]) + "'";
      });
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (rows[i] < 0)
        print_nothing(texts[i], embeds, flags_);
      else if (embeds)
        print_embedding(texts[i], all[rows[i]].to(at::kFloat), flags_);
      else
        print_classes(texts[i], all[rows[i]].to(at::kFloat), named_.model->config(), flags_);
    }
  }

 private:
  const std::string& model_;
  NamedText& named_;
  const PredictFlags& flags_;
  const std::string prompt_;
  const std::int64_t max_length_;
  std::int64_t num_cut_ = 0;
};

}  // namespace

int predict_texts(const std::vector<std::string>& args, const PredictFlags& flags) {
  NamedText named =
      open_named_text(args[0], "predict", {TextHead::sequence_classification, TextHead::encoder});
  check_max_length(named, flags.max_length);
  std::string prompt = named.prompt(flags.prompt_name, args[0]);
  if (!prompt.empty()) named.notes.push_back(fmt::format("before each text: '{}'", printable(prompt)));
  print_notes(named.notes, /*quiet=*/false);
  TextAnswers answers(args[0], named, flags, std::move(prompt),
                      flags.max_length > 0 ? flags.max_length : named.max_length);
  for_text_batches(std::span(args).subspan(1), flags.batch_size,
                   [&](std::span<const std::string> texts) { answers.answer(texts); });
  if (answers.num_cut() > 0)
    fmt::print(stderr, "{} texts were longer than the {} tokens that {} takes, and were cut\n",
               answers.num_cut(), answers.max_length(), args[0]);
  return 0;
}

}  // namespace mgd
