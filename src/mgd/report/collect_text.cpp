#include <fmt/core.h>

#include "mgd/nn/batch_to.h"
#include "mgd/report/attention_maps.h"
#include "mgd/report/collect.h"

namespace mgd {

void collect_text(Run& run, const FinalMeasures& m, ReportData& data) {
  if (!m.split.empty()) {
    data.findings.push_back(fmt::format("On the {} split: {}.", m.split, figures_text(m.student.figures)));
    ReportTable table{.title = "Measures",
                      .note = "On the " + m.split + " split, measured once.",
                      .header = {"measure"},
                      .rows = {}};
    table.header.push_back("this model");
    if (run.has_teacher()) table.header.push_back("teacher");
    for (const auto& [name, value] : m.student.figures) {
      table.rows.push_back({name, fmt::format("{:.4f}", value)});
      if (run.has_teacher())
        table.rows.back().push_back(fmt::format("{:.4f}", figure(m.teacher.figures, name)));
    }
    data.tables.push_back(std::move(table));
  }
  data.findings.push_back("This is one run with one seed.");
  const Batch batch = batch_to(run.text->first_samples(m.split.empty() ? "train" : m.split, 1), run.device);
  data.attention = attention_of(*run.student, run.text->tokenizer(), batch);
}

}  // namespace mgd
