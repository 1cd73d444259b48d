// What of a teacher and a student could be compared.
#pragma once

#include <string>
#include <vector>

#include "mgd/eval/summary.h"

namespace mgd {

// A line for each stage of the student, the last node of each size of maps: which stage of the teacher meets
// it, the one whose grid is nearest, and what that takes. Below them an entry for a recipe, of the last pair.
std::vector<std::string> describe_pair(const ModelSummary& teacher, const ModelSummary& student);

}  // namespace mgd
