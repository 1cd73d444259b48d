// Teacher and student of a text task, and what of the student's folder leaves with it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mgd/data/text_dataset.h"
#include "mgd/eval/text_folder.h"
#include "mgd/format/config.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

struct TextRole {
  std::unique_ptr<TextModel> model;
  std::map<std::string, std::string>
      files;              // of its folder, that travel with its weights; empty: made from scratch
  std::string no_logits;  // of a teacher: why its outputs are of no use to this data; "": they are
  std::vector<std::string> notes;
};

// A model folder, or for a student an architecture's name with its sizes, with the head of config.task.
// Classes are matched by name (format/class_map.h). A causal model knows the tokens that the documents begin
// and end with. Throws Error(usage) for a model whose vocabulary is smaller than the tokenizer's, and where
// classes cannot be matched.
TextRole open_text_teacher(const Config& config, const std::string& folder, const std::string& role,
                           const Tokenizer& tokenizer, const TextDataset& data);
TextRole open_text_student(const Config& config, const Tokenizer& tokenizer, const TextDataset& data);

// The files that leave with a student: the tokenizer's, and what its own folder brought (`own`). Of a causal
// model the tokenizer opens texts and does not close them.
std::map<std::string, std::string> student_files(const Config& config, const Tokenizer& tokenizer,
                                                 const fs::path& tokenizer_path, const TextModel& student,
                                                 const std::map<std::string, std::string>& own);

}  // namespace mgd
