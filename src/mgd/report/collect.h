// From a finished run to the data of its report.
#pragma once

#include "mgd/report/report.h"
#include "mgd/train/finish.h"

namespace mgd {

ReportData collect_report(Run& run, const fs::path& run_folder, const TrainResult& result,
                          const FinalMeasures& measures);

// The part of a run on anything but pictures: figures, and for texts the attention of the first sample of the
// measured split.
void collect_figures(Run& run, const FinalMeasures& measures, ReportData& data);

// What the losses see of `indices` of measures.source: picture, student map, mask, regenerated map, teacher
// map. Runs the student in eval mode with the masks of step 0.
std::vector<ReportIllustration> illustrate(Run& run, const FinalMeasures& measures,
                                           const std::vector<std::int64_t>& indices);

}  // namespace mgd
