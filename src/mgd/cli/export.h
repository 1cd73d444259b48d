// `mgd export` and its parts.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mgd/cli/labelled_images.h"
#include "mgd/export/check.h"
#include "mgd/export/image_graph.h"
#include "mgd/export/preprocessing.h"
#include "mgd/front/args.h"
#include "mgd/task/open_model.h"

namespace mgd {

struct ExportFlags {
  std::string onnx, data, split = "test", model, int8, int8_range = "squared_error";
  std::vector<std::string> int8_keep;
  std::int64_t image_size = 0, check_samples = 1000, calibration_samples = 256, int8_weight_bits = 7,
               threads = 0;
  std::vector<std::string> classes;
  bool with_preprocessing = false, json = false, quiet = false;
  void visit(OptionVisitor& v);
};

// Prints to stdout and returns the exit code.
int export_images(const std::string& model, const ExportFlags& flags);

// What is exported and with what it is compared.
struct ExportJob {
  const std::string& model;  // as it was named
  const ExportFlags& flags;
  OpenedModel& opened;
  Console& console;
  EvalTransform view;  // from a picture of any size to what the model sees
  PreprocessingFacts facts;
  ImageGraph graph{};  // float, without pre-processing
  Samples samples{};
  std::vector<at::Tensor> expected{};  // logits of the model, a batch of samples each
  std::string samples_name{};          // "250 samples of photos (test)"
  std::optional<OnnxRuntime> runtime{};
  int threads = 1;
};

// A file that was written, and what is known of it.
struct ExportedFile {
  fs::path path;
  std::uint64_t bytes = 0;
  std::optional<RuntimeAnswers> answers;  // of the samples, where there is a runtime
};

// One split of `data`, or its training part where `split` is empty, under the model's classes
// (in_classes_of).
std::shared_ptr<const ImageSource> pictures_of(const std::string& model, const OpenedModel& opened,
                                               const std::string& data, const std::string& split,
                                               Console& console);
// Some of them, seen as the model sees them; in order when all are taken, and drawn otherwise. What cannot be
// read is named on the console and left out.
Samples read_samples(const ExportJob& job, const ImageSource& source, std::int64_t most);
Samples random_samples(const PreprocessingFacts& facts);

// Samples as the file takes them: themselves, or as pixels where the nodes normalise.
std::vector<at::Tensor> file_inputs(const Samples& samples, const PreprocessingFacts& facts);

// Writes `graph` beside `path`, lets `accept` look at the file, and publishes it unless that throws.
ExportedFile export_file(const ExportJob& job, const Graph& graph, const fs::path& path,
                         const std::function<void(const ExportedFile&)>& accept);

// The second file, in 8 bits, and what was lost; prints its part of the result, or adds it to `json`.
struct Int8Layer {
  std::string name;
  double noise = 0;          // of the logits when this layer alone is in 8 bits, relative to them
  std::int64_t changed = 0;  // predictions
};
struct Int8Result {
  ExportedFile file;
  std::string calibrated_on;
  Agreement agreement;  // of the 8-bit file with the model
  std::optional<double> float_accuracy, int8_accuracy;
  std::string measured_with;         // "onnxruntime 1.22.0" or "LibTorch, rounding as the file says"
  std::vector<Int8Layer> layers;     // those that lose most, first; at most five
  std::int64_t layers_tried_on = 0;  // samples
};
Int8Result export_int8(const ExportJob& job, const fs::path& path);
fs::path int8_path(const std::string& onnx);  // student.onnx -> student.int8.onnx

}  // namespace mgd
