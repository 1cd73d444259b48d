// Who answers for a teacher. A live model is one (teach/live_teacher.h); others stand around it: pictures of
// its own size (teach/shown_teacher.h), slices of one size (teach/sliced_teacher.h), what is kept of it
// (teach/cached_teacher.h).
#pragma once

#include <set>
#include <string>
#include <vector>

#include "mgd/eval/summary.h"

namespace mgd {

// What a recipe wants of its teachers.
struct TeacherPass {
  std::vector<std::string> taps;  // nodes that losses read
  at::Device device = at::kCPU;   // of batches and answers
  bool bf16 = false, winograd = false, skip_hidden = true;
  bool training_mode = false;  // batch norms see the batch, and move
};

class Teacher {
 public:
  virtual ~Teacher() = default;
  // Scores and taps of B samples, without gradient, on the device of the pass. Throws as Model::run does.
  virtual Record answer(const Batch& batch) = 0;
};

// What is known of a teacher before it is loaded.
struct TeacherFacts {
  ModelSummary summary;
  std::string default_tap;
  std::vector<AttentionNodes> attention;  // a layer each
  std::string hash;                       // of its files
  AnswerKind answers = AnswerKind::classes;
  std::int64_t num_outputs = 0;  // classes of its head, or entries of its vocabulary; 0: it gives none
  // Why its logits are of no use here, as a sentence; "" = they are those of the data's classes.
  std::string no_logits;
  bool stored = false;                   // a file of answers: nothing of it is measured but what it says
  std::set<std::string> silent_on = {};  // parts of the data of which such a file has no answers
};

}  // namespace mgd
