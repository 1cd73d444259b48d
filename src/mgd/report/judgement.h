// "Should I ship it?": what the answers to the measured pictures say, in plain sentences that follow from the
// figures by rule.
#pragma once

#include <map>
#include <string>

#include "mgd/report/report.h"
#include "mgd/train/answers_file.h"
#include "mgd/train/finish.h"

namespace mgd {

// Another run of the student alone, measured on pictures of the same names.
struct BaselineAnswers {
  std::string name;  // "" when there is none
  std::map<std::string, StoredAnswer> answers;
};

// A class is doubtful when fewer than this share of its pictures is found, or when its share lies this far
// below the teacher's.
inline constexpr double kPoorRecall = 0.6, kRecallDrop = 0.1;

// Adds title, sentences and tables to `data`. Where the teacher did not run, what depends on its answers is
// left out.
void judge_student(const FinalMeasures& measures, const BaselineAnswers& baseline, ReportData& data);

// "+2.1 points (95 % interval -0.4 to +4.6)".
std::string points_text(const Difference& difference);

}  // namespace mgd
