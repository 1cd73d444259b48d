#include "mgd/teach/stored_teacher.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include "mgd/core/error.h"

namespace mgd {
namespace {

constexpr std::size_t kMap = 3, kVector = 1;  // dimensions of one sample

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
    if (output.shape.size() == kMap) return output.name;
  return answers_->outputs().front().name;
}

ModelSummary StoredTeacher::summary() const {
  ModelSummary summary{.architecture = architecture_, .nodes = {}};
  for (const auto& output : answers_->outputs())
    summary.nodes.push_back({.name = output.name, .shape = output.shape, .axes = node_of(output.shape).axes});
  return summary;
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
    if (!is_logits && !forward.wants(output.name)) continue;
    at::Tensor values = answers_->read(output, rows);
    if (is_logits && !columns_.empty()) values = values.index_select(1, at::tensor(columns_));
    values = forward.node(output.name, values.to(device));
    if (is_logits) record.logits = values;
  }
  if (!record.logits.defined())
    record.logits = at::zeros({batch.size(), 1}, at::TensorOptions().device(device));
  return record;
}

}  // namespace mgd
