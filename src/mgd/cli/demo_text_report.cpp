#include <ATen/ops/tensor.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "mgd/cli/demo_text.h"
#include "mgd/generate/masked_batch.h"
#include "mgd/generate/next_token.h"
#include "mgd/report/attention_maps.h"
#include "mgd/report/number.h"
#include "mgd/text/excerpt.h"

namespace mgd {

namespace {

std::string finding_of(const DemoModel& m) {
  if (m.loss >= m.baseline)
    return fmt::format(
        "The {} needs {:.2f} nats for a {}, and guessing by frequency {:.2f}: it has learned nothing of use; "
        "give it more steps or more text.",
        m.name, m.loss, m.target, m.baseline);
  return fmt::format(
      "The {} needs {:.2f} nats for a {} of the held-out part, and guessing by frequency {:.2f}: the right "
      "token gets {:.1f} times the probability (geometric mean). Its first guess is right in {:.1f} % of "
      "cases.",
      m.name, m.loss, m.target, m.baseline, std::exp(m.baseline - m.loss), 100 * m.accuracy);
}

// Of the gaps: those whose first guess is right, and those with a right one at all.
std::pair<std::size_t, std::size_t> right_guesses(const std::vector<ReportGap>& gaps) {
  std::size_t first = 0, any = 0;
  for (const ReportGap& gap : gaps) {
    const auto right = [&](const auto& guess) { return guess.first == gap.truth; };
    if (!gap.guesses.empty() && right(gap.guesses.front())) ++first;
    if (std::any_of(gap.guesses.begin(), gap.guesses.end(), right)) ++any;
  }
  return {first, any};
}

// The tokens of a text as the model reads them.
TokenIds ids_of(const Tokenizer& tokenizer, const std::string& text, bool special) {
  return tokenizer.encode(text, {.add_special = special, .file_limits = false}).ids;
}

std::vector<ReportAttention> masks_of(const std::vector<std::string>& sentences, const Tokenizer& tokenizer) {
  if (sentences.empty()) return {};
  // Few tokens, so that they can be read.
  const auto begin_of = [&](const std::string& sentence, std::size_t words) {
    TokenIds ids = ids_of(tokenizer, after_words(on_one_line(sentence), words).first, /*special=*/true);
    if (ids.size() > 2 * words) ids.resize(2 * words);
    return token_labels(tokenizer, ids);
  };
  const auto text = begin_of(sentences.front(), 5), other = begin_of(sentences.back(), 3);
  std::vector<std::string> padded = other, joined = text;
  padded.resize(std::max(text.size(), other.size()), "[PAD]");
  joined.insert(joined.end(), other.begin(), other.end());
  std::vector<std::int64_t> documents(joined.size(), 1);
  std::fill_n(documents.begin(), text.size(), 0);
  const at::Tensor document = at::tensor(documents).unsqueeze(0);
  const auto length = static_cast<std::int64_t>(other.size()),
             width = static_cast<std::int64_t>(padded.size());
  return {drawn_mask("nothing hidden",
                     "The masked model: every token sees the whole text, before and behind.", text, {}),
          drawn_mask("causal", "The causal model: a token sees itself and what stands before it.", text,
                     {.causal = true}),
          drawn_mask("padding", "A shorter text filled up to the same length: nobody looks at the filling.",
                     padded, {.key_keep = key_keep_from_lengths({length}, width)}),
          drawn_mask("end to end",
                     "What is computed here in place of padding: texts in one row, each sees itself alone.",
                     joined, {.q_documents = document, .key_documents = document})};
}

void add_attention(const NamedText& model, const std::string& name, TokenIds ids, ReportData& data) {
  if (ids.empty()) return;
  // What was generated may be more tokens when it is read.
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(model.max_length)));
  Batch batch;
  batch.tokens = packed(std::vector<TokenIds>{ids}, at::kCPU);
  batch.sample_ids = {0};
  std::size_t number = 0;
  for (ReportAttention& layer : attention_of(*model.model, model.tokenizer, batch)) {
    layer.note = "node " + layer.title;
    layer.title = fmt::format("{}, layer {}", name, ++number);
    data.attention.push_back(std::move(layer));
  }
}

ReportTable loss_table(const DemoTextResult& result) {
  ReportTable table{
      .title = "Held-out loss in nats",
      .note =
          "By frequency: each token guessed by how often it occurs in training (add-one "
          "smoothing), measured on the same tokens. The two models have different "
          "vocabularies and tasks; their losses are not to be compared with each other.",
      .header = {"model", "loss", "by frequency", "first guess right", "parameters", "training"},
      .rows = {}};
  for (const DemoModel* m : {&result.masked, &result.causal})
    table.rows.push_back({fmt::format("{} ({}), a {}", m->name, m->architecture, m->target),
                          fmt::format("{:.2f}", m->loss), fmt::format("{:.2f}", m->baseline),
                          fmt::format("{:.1f} %", 100 * m->accuracy), count_text(m->parameters),
                          fmt::format("{} steps, {:.0f} s", m->steps, m->seconds)});
  return table;
}

void add_curves(const DemoModel& model, const fs::path& folder, ReportData& data) {
  for (auto& curve : read_curves(read_file(folder / model.key / "metrics.jsonl"))) {
    if (curve.name == "loss") data.curves.push_back({model.name + ": training loss", curve.points});
    if (curve.name == "eval/loss") data.curves.push_back({model.name + ": held-out loss", curve.points});
  }
}

ReportTile tile_of(const DemoModel& model) {
  return {.name = "Loss, " + model.name,
          .value = fmt::format("{:.2f} nats", model.loss),
          .note = fmt::format("held-out; by frequency {:.2f}", model.baseline)};
}

}  // namespace

std::vector<std::string> demo_text_findings(const DemoTextResult& result) {
  std::vector<std::string> lines{finding_of(result.masked), finding_of(result.causal)};
  if (!result.gaps.empty()) {
    const auto [first, any] = right_guesses(result.gaps);
    lines.push_back(fmt::format(
        "Of {} hidden words, the first guess is right for {}, one of the first three for {}. The gaps are "
        "drawn by a fixed rule, not chosen.",
        result.gaps.size(), first, any));
  }
  lines.push_back(fmt::format(
      "One run with one seed on {} kB of text: enough to see that words and grammar are picked up, too "
      "little for sense.",
      result.train_bytes / 1000));
  return lines;
}

void write_demo_text_report(const DemoTextResult& result, const NamedText& masked, const NamedText& causal,
                            const fs::path& folder) {
  ReportData data;
  data.title = "One text, two small Transformers";
  data.subtitle = fmt::format(
      "Both learn from {} kB of {}. One fills gaps and sees what stands before and behind; the other writes "
      "on and sees what stands before. The last {} kB are kept from both and used to judge them.",
      result.train_bytes / 1000, result.text_name, result.held_out_bytes / 1000);
  const auto [first, any] = right_guesses(result.gaps);
  data.tiles = {tile_of(result.masked), tile_of(result.causal)};
  if (!result.gaps.empty())
    data.tiles.push_back({.name = "Gaps filled",
                          .value = fmt::format("{} of {}", any, result.gaps.size()),
                          .note = "the right word is among three guesses"});
  data.tiles.push_back({.name = "Parameters",
                        .value = count_text(result.masked.parameters + result.causal.parameters),
                        .note = fmt::format("masked {}, causal {}", count_text(result.masked.parameters),
                                            count_text(result.causal.parameters))});
  data.tiles.push_back(
      {.name = "Time", .value = fmt::format("{:.0f} s", result.seconds), .note = "both models"});
  data.findings = demo_text_findings(result);
  data.tables = {loss_table(result)};
  data.gaps = result.gaps;
  data.continuations = result.continuations;
  add_curves(result.masked, folder, data);
  add_curves(result.causal, folder, data);
  data.masks = masks_of(result.sentences, masked.tokenizer);
  if (!result.gaps.empty()) {
    const auto length = [](const ReportGap& gap) { return gap.before.size() + gap.after.size(); };
    const ReportGap& gap = *std::min_element(result.gaps.begin(), result.gaps.end(),
                                             [&](auto& a, auto& b) { return length(a) < length(b); });
    const std::string mask = masked.tokenizer.token_of(mask_id(masked.tokenizer));
    add_attention(masked, "masked model", ids_of(masked.tokenizer, gap.before + mask + gap.after, true),
                  data);
  }
  if (!result.continuations.empty()) {
    const ReportContinuation& c = result.continuations.front();
    add_attention(causal, "causal model", ids_of(causal.tokenizer, c.prompt + c.text, false), data);
  }
  write_file_atomic(folder / "report.html", render_report(data));
}

}  // namespace mgd
