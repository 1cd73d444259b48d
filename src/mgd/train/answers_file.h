// answers.jsonl of a run: what the student, and the teacher where it ran, said to each measured picture.
#pragma once

#include <map>
#include <string>

#include "mgd/train/finish.h"

namespace mgd {

// One object a line: {"input", "label", "answer", "score"[, "teacher", "teacher_score"]}; names of classes,
// scores are probabilities. "" where no pictures were measured.
std::string answers_jsonl(const FinalMeasures& measures);

struct StoredAnswer {
  std::string label, answer, teacher;  // teacher: "" when it did not run
  double score = 0, teacher_score = 0;
  bool right() const { return answer == label; }
};

// By the name of the input. Throws Error(bad_data) with the line for text of another form, and for a name
// that comes twice.
std::map<std::string, StoredAnswer> parse_answers(const std::string& jsonl, const std::string& source);

}  // namespace mgd
