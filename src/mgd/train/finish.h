// What a finished run leaves: final measures, the student's folder, summary.json.
#pragma once

#include <string>

#include "mgd/train/trainer.h"

namespace mgd {

struct ModelMeasures {
  at::Tensor logits;  // (N, K); undefined when there was nothing to measure on, or no such model
  ClassifyMetrics metrics;
  Latency latency;
  std::uint64_t bytes = 0;  // of the weights as stored
};

// Measured once, after training, on the test split; on the validation part where the data has no test split.
struct FinalMeasures {
  std::string split;                    // "test" or "validation"
  const ImageSource* source = nullptr;  // null: there was neither
  ModelMeasures student, teacher;
};

FinalMeasures measure_final(Run& run);

// The student alone: neither the teacher nor the blocks that helped to train it.
void export_student(const Run& run, const fs::path& folder);

// summary.json as docs/files.md describes it. `model_dir` is relative to the run folder.
std::string summary_json(const Run& run, const TrainResult& result, const FinalMeasures& measures,
                         const std::string& model_dir);

std::string data_report_json(const Run& run);  // samples a split and class, corrupt files

}  // namespace mgd
