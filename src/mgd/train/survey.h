// What losses must know of the teacher before the first step.
#pragma once

#include <string>
#include <vector>

namespace mgd {

struct Run;

// Shows the teacher's answers to all training samples, as evaluation would see them, to the losses that want
// them (Loss::wants_survey), and gives the lines that they tell. Nothing happens when none does.
std::vector<std::string> survey_teachers(Run& run);

}  // namespace mgd
