// The verbs of the command, one file each.
#pragma once

#include <vector>

#include "mgd/front/args.h"

namespace mgd {

Verb distill_verb();
Verb train_verb();
Verb eval_verb();
Verb predict_verb();
Verb inspect_verb();
Verb compare_verb();
Verb doctor_verb();
Verb tokenize_verb();
Verb fill_mask_verb();
Verb generate_verb();
Verb bench_verb();
Verb demo_verb();
Verb export_verb();
Verb answer_verb();
Verb probe_verb();

// All that the command has, the one that the front has itself included.
std::vector<Verb> all_verbs();

}  // namespace mgd
