// Measures of an image classifier.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mgd/data/loader.h"
#include "mgd/model/model.h"

namespace mgd {

struct ClassMetrics {
  std::int64_t support = 0;
  double precision = 0, recall = 0, f1 = 0;  // 0..1; 0 where undefined
};

struct ClassifyMetrics {
  std::int64_t samples = 0;
  double accuracy = 0;           // 0..1
  std::optional<double> top5;    // 0..1; none for five classes or fewer, of which all answers are among them
  double loss = 0;               // mean cross-entropy, nats
  double calibration_error = 0;  // expected calibration error, 15 bins of equal width (Guo et al. 2017)
  std::vector<std::vector<std::int64_t>> confusion;  // [true][predicted]
  std::vector<ClassMetrics> per_class;
  double seconds = 0, throughput = 0;          // whole evaluation; samples/s
  std::map<std::string, std::string> corrupt;  // left out: sample name -> what was wrong
};

struct EvalOptions {
  std::int64_t batch_size = 64;  // more only moves activations out of a processor's caches
  std::int64_t loader_threads = 2;
  std::vector<double> mean, std;
  std::int64_t height = 0, width = 0;
  EvalTransform view;              // from a picture of any size to height x width
  std::string precision = "fp32";  // fp32 | bf16
  at::Device device = at::kCPU;
  std::string keep_input_of = {};  // path of a linear layer; what it is given is kept in Answers::inputs
  std::string keep_mean_of = {};   // or a node, averaged over its positions
};

struct Answers {
  at::Tensor inputs = {};  // (N, F) float, on the CPU: see EvalOptions::keep_...
  at::Tensor logits;  // (N, K) float, on the CPU, in the order of the source, without its corrupt samples
  std::vector<std::int64_t> labels;            // N
  std::vector<std::int64_t> samples;           // N, their numbers in the source
  std::map<std::string, std::string> corrupt;  // what was left out: sample name -> what was wrong
};

// Eval mode, no gradient.
Answers answer_all(Model& model, const ImageSource& source, const EvalOptions& options);

// logits (N, K), labels (N) -> everything but the times. N = 0: zeros.
ClassifyMetrics classify_metrics(const at::Tensor& logits, const std::vector<std::int64_t>& labels);

ClassifyMetrics evaluate_classifier(Model& model, const ImageSource& source, const EvalOptions& options);

struct Latency {
  double median_ms = 0, p90_ms = 0;  // one sample at a time
  std::int64_t runs = 0;
};
// Of a batch of one sample, on the device of the model's parameters; the first passes do not count.
Latency measure_latency(Model& model, const Batch& sample, int runs = 50);

}  // namespace mgd
