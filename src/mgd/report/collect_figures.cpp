#include <fmt/core.h>

#include "mgd/report/attention_maps.h"
#include "mgd/report/collect.h"
#include "mgd/types/batch.h"

namespace mgd {

void collect_figures(Run& run, const FinalMeasures& m, ReportData& data) {
  if (!m.split.empty()) {
    data.findings.push_back(fmt::format("On the {} split: {}.", m.split, figures_text(m.student.figures)));
    ReportTable table{.title = "Measures",
                      .note = "On the " + m.split + " split, measured once.",
                      .header = {"measure"},
                      .rows = {}};
    table.header.push_back("this model");
    const bool of_teacher = !m.teacher().figures.empty();
    if (of_teacher) table.header.push_back("teacher");
    for (const auto& [name, value] : m.student.figures) {
      table.rows.push_back({name, fmt::format("{:.4f}", value)});
      if (of_teacher) table.rows.back().push_back(fmt::format("{:.4f}", figure(m.teacher().figures, name)));
    }
    data.tables.push_back(std::move(table));
  }
  if (run.task->num_classes() > 0 && !run.task->labelled())
    data.findings.push_back(
        "The pictures have no labels: these figures say how near the student comes to the teacher, not how "
        "often it "
        "is right.");
  data.findings.push_back("This is one run with one seed.");
  const Tokenizer* tokenizer = run.task->tokenizer();
  if (tokenizer == nullptr) return;
  const Batch batch = batch_to(run.task->samples(m.split.empty() ? "train" : m.split, {0}), run.device);
  data.attention = attention_of(*run.student, *tokenizer, batch);
}

}  // namespace mgd
