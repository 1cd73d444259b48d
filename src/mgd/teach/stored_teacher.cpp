#include "mgd/teach/stored_teacher.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <optional>

#include "mgd/core/error.h"
#include "mgd/types/token_grid.h"

namespace mgd {
namespace {

constexpr std::size_t kMap = 3, kVector = 1;  // dimensions of one sample

// What losses meet of an output: itself, or what tokens are on the picture.
struct Tap {
  std::string name;
  std::vector<std::int64_t> sizes;  // of one sample
};

std::optional<TokenGrid> grid_of(const StoredAnswers::Output& output) {
  constexpr std::size_t kTokens = 2;
  return output.shape.size() == kTokens ? grid_of_tokens(output.shape[0]) : std::nullopt;
}

std::vector<Tap> taps_of(const StoredAnswers::Output& output) {
  const auto grid = grid_of(output);
  if (!grid) return {{output.name, output.shape}};
  std::vector<Tap> taps{{output.name, {output.shape[1], grid->side, grid->side}}};
  if (grid->others > 0) taps.push_back({first_token_of(output.name), {output.shape[1]}});
  return taps;
}

NodeInfo node_of(const std::vector<std::int64_t>& sizes) {
  return {.axes = sizes.size() == kMap      ? Axes::map
                  : sizes.size() == kVector ? Axes::vector
                                            : Axes::other,
          .sizes = sizes};
}

}  // namespace

StoredTeacher::StoredTeacher(std::shared_ptr<const StoredAnswers> answers, std::vector<std::int64_t> columns)
    : answers_(std::move(answers)), columns_(std::move(columns)) {
  set_path("");
}

NodeInfo StoredTeacher::info_of(const std::string&, const at::Tensor& activation) const {
  return node_of(activation.sizes().slice(1).vec());
}

std::string StoredTeacher::default_tap() const {
  for (const auto& output : answers_->outputs())
    if (taps_of(output).front().sizes.size() == kMap) return output.name;
  return answers_->outputs().front().name;
}

ModelSummary StoredTeacher::summary() const {
  ModelSummary summary{.architecture = architecture_, .nodes = {}};
  for (const auto& output : answers_->outputs())
    for (const Tap& tap : taps_of(output))
      summary.nodes.push_back({.name = tap.name, .shape = tap.sizes, .axes = node_of(tap.sizes).axes});
  return summary;
}

std::vector<std::string> StoredTeacher::notes() const {
  std::vector<std::string> lines;
  for (const auto& output : answers_->outputs())
    if (const auto grid = grid_of(output))
      lines.push_back(fmt::format("{}: {}", printable(output.name), describe(*grid)));
  return lines;
}

std::vector<std::int64_t> StoredTeacher::rows_of(const Batch& batch) const {
  std::vector<std::int64_t> rows;
  for (const std::int64_t sample : batch.sample_ids) {
    if (batch.names == nullptr) {
      rows.push_back(sample % static_cast<std::int64_t>(answers_->names().size()));
      continue;
    }
    const std::string name = batch.names->name(sample);
    rows.push_back(answers_->row_of(name));
    if (rows.back() < 0)
      fail(ExitCode::bad_data, "{}: no answers to the sample '{}'", answers_->path(), printable(name));
  }
  return rows;
}

Record StoredTeacher::answer(const Batch& batch, Forward& forward) {
  const std::vector<std::int64_t> rows = rows_of(batch);
  const at::Device device = batch.input.device();
  Record record;
  for (const auto& output : answers_->outputs()) {
    const bool is_logits = output.name == "logits";
    const std::vector<Tap> taps = taps_of(output);
    if (!is_logits &&
        std::none_of(taps.begin(), taps.end(), [&](const Tap& tap) { return forward.wants(tap.name); }))
      continue;
    at::Tensor values = answers_->read(output, rows);
    if (const auto grid = grid_of(output)) {
      if (taps.size() > 1) forward.node(taps[1].name, values.select(1, 0).to(device));
      values = map_of_tokens(values, *grid);
    }
    if (is_logits && !columns_.empty()) values = values.index_select(1, at::tensor(columns_));
    values = forward.node(output.name, values.to(device));
    if (is_logits) record.logits = values;
  }
  if (!record.logits.defined())
    record.logits = at::zeros({batch.size(), 1}, at::TensorOptions().device(device));
  return record;
}

}  // namespace mgd
