#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include "mgd/core/error.h"
#include "mgd/nn/batch_to.h"
#include "mgd/report/collect.h"

namespace mgd {

namespace {

constexpr std::int64_t kTokensShown = 48;

ReportMap map_of(const std::string& title, const at::Tensor& values) {  // (T, S)
  const at::Tensor plain = values.to(at::kCPU, at::kFloat).contiguous();
  const float* data = plain.const_data_ptr<float>();
  return {.title = title,
          .height = plain.size(0),
          .width = plain.size(1),
          .values = std::vector<float>(data, data + plain.numel())};
}

// The tokens of the first sequence, as one line.
std::string tokens_text(const TextTask& task, const PackedTokens& tokens, std::int64_t count) {
  std::string line;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t id = tokens.ids[i].item<std::int64_t>();
    const std::string text = task.tokenizer().decode({&id, 1}, /*skip_special=*/false);
    line += (line.empty() ? "" : " | ") + printable(text);
  }
  return line;
}

// One row a layer: what a token may see (the mask), and the mean over heads of what it looks at.
std::vector<ReportIllustration> attention_of(Run& run, const std::string& split) {
  const Batch batch = batch_to(run.text->first_samples(split, 1), run.device);
  std::vector<std::pair<std::string, at::Tensor>> maps;
  Forward forward;
  forward.observe([&](const std::string& name, const at::Tensor& activation) {
    if (name.ends_with(".probs")) maps.emplace_back(name, activation);
  });
  const at::NoGradGuard no_grad;
  run.student->run(batch, forward);
  std::vector<ReportIllustration> rows;
  for (const auto& [name, map] : maps) {  // (sequences, H, T, S)
    const std::int64_t queries = std::min(kTokensShown, map.size(2)),
                       keys = std::min(kTokensShown, map.size(3));
    const at::Tensor first = map[0].narrow(1, 0, queries).narrow(2, 0, keys);
    ReportIllustration row{.tap = name, .caption = "", .image = {}, .maps = {}};
    if (rows.empty())
      row.caption = "Rows look at columns. The tokens: " +
                    tokens_text(*run.text, batch.tokens, std::min(kTokensShown, batch.tokens.offsets.at(1)));
    row.maps.push_back(map_of("mask", first.gt(0).any(0)));
    row.maps.push_back(map_of("attention, mean of the heads", first.mean(0)));
    row.maps.push_back(map_of("head 1", first[0]));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

void collect_text(Run& run, const FinalMeasures& m, ReportData& data) {
  if (!m.split.empty()) {
    data.findings.push_back(fmt::format("On the {} split: {}.", m.split, figures_text(m.student.figures)));
    ReportTable table{.title = "Measures",
                      .note = "On the " + m.split + " split, measured once.",
                      .header = {"measure"},
                      .rows = {}};
    table.header.push_back("this model");
    if (run.teacher) table.header.push_back("teacher");
    for (const auto& [name, value] : m.student.figures) {
      table.rows.push_back({name, fmt::format("{:.4f}", value)});
      if (run.teacher) table.rows.back().push_back(fmt::format("{:.4f}", figure(m.teacher.figures, name)));
    }
    data.tables.push_back(std::move(table));
  }
  data.findings.push_back("This is one run with one seed.");
  data.attention = attention_of(run, m.split.empty() ? "train" : m.split);
}

}  // namespace mgd
