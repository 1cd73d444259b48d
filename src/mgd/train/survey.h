// What losses must know of the teacher before the first step.
#pragma once

namespace mgd {

struct Run;

// Shows the teacher's answers to all training pictures, as evaluation would see them, to the losses that want
// them (Loss::wants_survey). Nothing happens when none does. Throws Error(usage) for other data than
// pictures.
void survey_teacher(Run& run);

}  // namespace mgd
