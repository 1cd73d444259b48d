// What a finished run leaves: final measures, the student's folder, summary.json.
#pragma once

#include <string>

#include "mgd/train/trainer.h"

namespace mgd {

struct ModelMeasures : ModelAnswers {  // on the split; without figures: there was none
  double latency_ms = -1;              // median of one sample at a time; -1: not measured in this run
  std::uint64_t bytes = 0;             // of the weights as stored
};

// What the latencies were measured under.
struct Circumstances {
  int threads = 0, cores = 0;
  double other_load = -1;  // cores kept busy by other programs meanwhile; -1: not known
};

// Measured once, after training, on the test split; on the validation part where the data has no test split.
struct FinalMeasures {
  std::string split;                            // "test", "validation", or "" when there was neither
  const ImageSource* source = nullptr;          // its pictures, if any: picture i has row i of all logits
  std::shared_ptr<const ImageSource> readable;  // holds `source` when some could not be read and are left out
  ModelMeasures student;
  std::vector<ModelMeasures> teachers;  // in the order of Run::teachers
  Circumstances circumstances;

  // Of the one that reports compare with; empty in `train`.
  const ModelMeasures& teacher() const {
    static const ModelMeasures none;
    return teachers.empty() ? none : teachers.front();
  }
};

// Throws Error(diverged) when the student's loss is not finite: weights may all be numbers and their answers
// none.
FinalMeasures measure_final(Run& run);

// The student alone: neither the teacher nor the blocks that helped to train it.
void export_student(const Run& run, const fs::path& folder);

// summary.json: what the console tells at the end, for programs. `model_dir` is relative to the run folder.
std::string summary_json(const Run& run, const TrainResult& result, const FinalMeasures& measures,
                         const std::string& model_dir);

}  // namespace mgd
