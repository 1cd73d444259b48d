#include "mgd/report/judgement.h"

#include <ATen/ops/softmax.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "mgd/report/number.h"

namespace mgd {

namespace {

// One class of the measured split.
struct ClassRow {
  std::string name, taken_for;  // the most frequent wrong answer; "" when there is none
  std::int64_t pictures = 0;
  double student = 0, teacher = -1;  // recall; -1: not known
  bool doubtful() const {
    return pictures > 0 && (student < kPoorRecall || (teacher >= 0 && student <= teacher - kRecallDrop));
  }
};

std::vector<ClassRow> class_rows(const FinalMeasures& m) {
  const auto& names = m.source->class_names();
  const ClassifyMetrics& student = m.student.classes;
  const auto& teacher = m.teacher().classes.per_class;
  std::vector<ClassRow> rows;
  for (std::size_t k = 0; k < student.per_class.size(); ++k) {
    ClassRow row{.name = names.at(k),
                 .taken_for = "",
                 .pictures = student.per_class[k].support,
                 .student = student.per_class[k].recall};
    if (k < teacher.size() && teacher[k].support > 0) row.teacher = teacher[k].recall;
    std::vector<std::int64_t> wrong = student.confusion[k];
    wrong[k] = 0;
    if (const auto most = std::max_element(wrong.begin(), wrong.end()); *most > 0)
      row.taken_for = names.at(static_cast<std::size_t>(most - wrong.begin()));
    rows.push_back(std::move(row));
  }
  // What most needs a look comes first: the share of pictures lost, against the teacher where it is known.
  std::stable_sort(rows.begin(), rows.end(), [](const ClassRow& a, const ClassRow& b) {
    const auto key = [](const ClassRow& r) { return std::pair(r.doubtful() ? 0 : 1, r.student); };
    return key(a) < key(b);
  });
  return rows;
}

std::string doubt_text(const ClassRow& row) {
  const std::string teacher = row.teacher >= 0 ? fmt::format(", teacher {:.0f} %", 100 * row.teacher) : "";
  return fmt::format("{} (finds {:.0f} % of {}{})", row.name, 100 * row.student, row.pictures, teacher);
}

void tell_classes(const FinalMeasures& m, ReportData& data) {
  constexpr std::size_t kMostRows = 30, kMostNamed = 5;
  const std::vector<ClassRow> rows = class_rows(m);
  std::vector<std::string> doubtful;
  for (const ClassRow& row : rows)
    if (row.doubtful()) doubtful.push_back(doubt_text(row));
  const std::size_t more = doubtful.size() > kMostNamed ? doubtful.size() - kMostNamed : 0;
  doubtful.resize(doubtful.size() - more);
  if (doubtful.empty())
    data.findings.push_back(fmt::format(
        "No class is found in fewer than {:.0f} % of its pictures{}.", 100 * kPoorRecall,
        m.teacher().classes.per_class.empty()
            ? ""
            : fmt::format(", and none {:.0f} points less often than by the teacher", 100 * kRecallDrop)));
  else
    data.findings.push_back(fmt::format("Look at these classes first: {}{}.", fmt::join(doubtful, ", "),
                                        more > 0 ? fmt::format(", and {} more", more) : ""));
  ReportTable table{
      .title = "Each class, the doubtful first",
      .note = rows.size() > kMostRows
                  ? fmt::format("{} more classes are left out here.", rows.size() - kMostRows)
                  : "",
      .header = {"class", "pictures", "student finds", "teacher finds", "difference", "mostly taken for"},
      .rows = {}};
  for (std::size_t i = 0; i < std::min(rows.size(), kMostRows); ++i) {
    const ClassRow& row = rows[i];
    const bool both = row.teacher >= 0 && row.pictures > 0;
    table.rows.push_back({(row.doubtful() ? "\u26A0 " : "") + row.name, exact_text(row.pictures),
                          row.pictures > 0 ? fmt::format("{:.1f} %", 100 * row.student) : "-",
                          both ? fmt::format("{:.1f} %", 100 * row.teacher) : "-",
                          both ? fmt::format("{:+.1f}", 100 * (row.student - row.teacher)) : "-",
                          row.taken_for});
  }
  data.finding_tables.push_back(std::move(table));
}

// Mean probability of the given answers minus the share of right ones: above 0, a model is too sure of
// itself.
void tell_calibration(const FinalMeasures& m, ReportData& data) {
  const double sure = m.student.logits.to(at::kDouble).softmax(1).amax(1).mean().item<double>();
  const double gap = sure - m.student.classes.accuracy;
  data.findings.push_back(
      fmt::format("Its probabilities are {}: it is {:.1f} % sure on average and right in {:.1f} % "
                  "(calibration error {:.1f} %).",
                  std::abs(gap) < 0.02 ? "honest on average"
                  : gap > 0            ? "too high"
                                       : "too low",
                  100 * sure, 100 * m.student.classes.accuracy, 100 * m.student.classes.calibration_error));
}

struct Disagreement {
  std::int64_t different = 0, student_right = 0, teacher_right = 0;
  std::map<std::array<std::int64_t, 3>, std::int64_t> kinds;  // (label, student, teacher) -> pictures
};

Disagreement disagreement(const FinalMeasures& m) {
  const at::Tensor student = m.student.logits.argmax(1).contiguous(),
                   teacher = m.teacher().logits.argmax(1).contiguous();
  const auto* s = student.const_data_ptr<std::int64_t>();
  const auto* t = teacher.const_data_ptr<std::int64_t>();
  Disagreement d;
  for (std::int64_t i = 0; i < student.size(0); ++i) {
    if (s[i] == t[i]) continue;
    const std::int64_t label = m.source->label(i);
    ++d.different;
    d.student_right += s[i] == label ? 1 : 0;
    d.teacher_right += t[i] == label ? 1 : 0;
    ++d.kinds[{label, s[i], t[i]}];
  }
  return d;
}

void tell_disagreement(const FinalMeasures& m, ReportData& data) {
  constexpr std::size_t kMostRows = 8;
  const Disagreement d = disagreement(m);
  const std::int64_t count = m.student.classes.samples;
  const Difference to_teacher =
      paired_difference({.first_only = d.student_right, .second_only = d.teacher_right, .count = count});
  data.findings.push_back(fmt::format("Against the teacher: {} on the same pictures{}.",
                                      points_text(to_teacher),
                                      to_teacher.cannot_tell() ? "; they cannot tell the two apart" : ""));
  if (d.different == 0) {
    data.findings.push_back("Student and teacher give the same answer to every picture.");
    return;
  }
  data.findings.push_back(fmt::format(
      "Student and teacher disagree on {} of {} pictures: there the teacher is right {} times, the student "
      "{} times, neither {} times.",
      d.different, count, d.teacher_right, d.student_right, d.different - d.teacher_right - d.student_right));
  std::vector<std::pair<std::int64_t, std::array<std::int64_t, 3>>> kinds;
  for (const auto& [kind, pictures] : d.kinds) kinds.emplace_back(pictures, kind);
  std::stable_sort(kinds.begin(), kinds.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (kinds.size() > kMostRows) kinds.resize(kMostRows);
  ReportTable table{.title = "Where student and teacher disagree most",
                    .note = "",
                    .header = {"true class", "student says", "teacher says", "pictures"},
                    .rows = {}};
  const auto& names = m.source->class_names();
  const auto name = [&](std::int64_t k) { return names.at(static_cast<std::size_t>(k)); };
  for (const auto& [pictures, kind] : kinds)
    table.rows.push_back({name(kind[0]), name(kind[1]), name(kind[2]), exact_text(pictures)});
  data.finding_tables.push_back(std::move(table));
}

void tell_baseline(const FinalMeasures& m, const BaselineAnswers& baseline, ReportData& data) {
  if (baseline.name.empty()) return;
  const at::Tensor answers = m.student.logits.argmax(1).contiguous();
  const auto* answer = answers.const_data_ptr<std::int64_t>();
  PairedCounts counts;
  for (std::int64_t i = 0; i < answers.size(0); ++i) {
    const auto other = baseline.answers.find(m.source->name(i));
    if (other == baseline.answers.end()) continue;
    const bool right = answer[i] == m.source->label(i), other_right = other->second.right();
    ++counts.count;
    counts.first_only += right && !other_right ? 1 : 0;
    counts.second_only += !right && other_right ? 1 : 0;
  }
  if (counts.count == 0) {
    data.findings.push_back(fmt::format(
        "The baseline {} left no answers to these pictures, so the difference to it has no interval.",
        baseline.name));
    return;
  }
  const Difference difference = paired_difference(counts);
  const std::string some =
      counts.count < m.student.classes.samples
          ? fmt::format(" ({} of {}, those both answered)", counts.count, m.student.classes.samples)
          : "";
  data.findings.push_back(fmt::format("Against the baseline {}: {} on the same pictures{}{}.", baseline.name,
                                      points_text(difference), some,
                                      difference.cannot_tell() ? "; they cannot tell the two apart" : ""));
}

}  // namespace

std::string points_text(const Difference& d) {
  return fmt::format("{:+.1f} points (95 % interval {:+.1f} to {:+.1f})", 100 * d.value, 100 * d.interval.low,
                     100 * d.interval.high);
}

void judge_student(const FinalMeasures& m, const BaselineAnswers& baseline, ReportData& data) {
  data.findings_title = "Should I ship it?";
  const ClassifyMetrics& student = m.student.classes;
  const std::int64_t hits = std::llround(student.accuracy * static_cast<double>(student.samples));
  const Interval interval = share_interval(hits, student.samples);
  data.findings.push_back(fmt::format(
      "Right on {} of {} {} pictures: {:.2f} %. So many pictures leave it between {:.1f} and {:.1f} % (95 % "
      "interval).",
      hits, student.samples, m.split, 100 * student.accuracy, 100 * interval.low, 100 * interval.high));
  tell_classes(m, data);
  tell_baseline(m, baseline, data);
  if (m.teacher().logits.defined())
    tell_disagreement(m, data);
  else if (m.teacher().classes.samples > 0)
    data.findings.push_back(
        fmt::format("The teacher is right in {:.2f} %, as an earlier run measured on the same pictures.",
                    100 * m.teacher().classes.accuracy));
  tell_calibration(m, data);
}

}  // namespace mgd
