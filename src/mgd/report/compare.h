// Finished runs side by side: grouped by method, with the spread over seeds and paired differences.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mgd/eval/intervals.h"
#include "mgd/eval/statistics.h"
#include "mgd/report/report.h"
#include "mgd/report/run_record.h"

namespace mgd {

enum class Pairing { none, seeds, samples };

// Runs with equal recipes but for the seed.
struct MethodGroup {
  std::string name;             // of its folders, without the seed; made unique
  std::vector<RunRecord> runs;  // by seed
  MeanSpread value, validation;
  // To the reference, in the direction of the figure; paired by seed where two seeds or more are common, else
  // by the samples of one run each.
  Pairing pairing = Pairing::none;
  Difference difference;
  std::int64_t pairs = 0;  // common seeds, or common samples
  std::string pair_of;     // samples of which two runs, where a method has several: "kd-1 and alone-1"
};

struct Comparison {
  std::string headline, split;
  bool higher_is_better = true, is_share = false;  // is_share: an accuracy, shown in per cent
  std::vector<MethodGroup> groups;                 // in the order given; the reference is groups[reference]
  std::size_t reference = 0;
  // Recipe keys in which the groups differ, with each group's value.
  std::vector<std::pair<std::string, std::vector<std::string>>> differing;
};

// `against`: name of a group or of a run's folder; "": the first. Throws Error(usage) for runs that cannot be
// held side by side: another task, figure, split or other samples (by fingerprint), the same run or the same
// seed of a method twice, an unknown `against` (the nearest is named).
Comparison compare_runs(std::vector<RunRecord> runs, const std::string& against);

std::string difference_text(const Comparison& comparison, const MethodGroup& group);  // "" for the reference
// What follows from the figures by rule, a sentence a group.
std::vector<std::string> verdicts(const Comparison& comparison);
ReportData comparison_page(const Comparison& comparison);

}  // namespace mgd
