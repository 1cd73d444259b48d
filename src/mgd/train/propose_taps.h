// Which layer of a student shall regenerate which of a teacher, where nobody said so.
#pragma once

#include <optional>
#include <string>

#include "mgd/eval/summary.h"

namespace mgd {

struct ProposedTaps {
  std::string student, teacher;
  bool same_size = false;  // otherwise the student's map is brought to the teacher's height and width
  double mean_square = 1;  // of the teacher's map on some pictures, where somebody looked
};

// Of the teacher the deepest map whose regeneration (two 3x3 convolutions at its channels) costs no more than
// the student itself: on a wider one MGD would spend most of its time on blocks that are thrown away. Of the
// student the deepest map of the same height and width, else the one whose size is nearest. Maps with a side
// below 4, where hiding a position hides the whole, are left alone. Nothing when one of the two has no such
// map.
std::optional<ProposedTaps> propose_taps(const ModelSummary& student, const ModelSummary& teacher);

}  // namespace mgd
