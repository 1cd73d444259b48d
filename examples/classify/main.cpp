// What a model folder says of pictures, from C++: classify MODEL PICTURE...
#include <ATen/core/Tensor.h>
#include <fmt/core.h>

#include "mgd/core/error.h"
#include "mgd/eval/classify.h"
#include "mgd/task/open_model.h"
#include "mgd/task/picture_rules.h"

int main(int argc, char** argv) try {
  if (argc < 3) mgd::fail(mgd::ExitCode::usage, "classify MODEL PICTURE...");
  const mgd::OpenedModel opened = mgd::open_model({.path = argv[1]}, {}, "model");
  const auto pictures = mgd::open_loose_images({argv + 2, argv + argc}, opened.info.in_channels);
  // Scaled, cut and normalised as the folder says.
  const at::Tensor logits =
      mgd::answer_all(*opened.model, *pictures, mgd::eval_options_of(opened.info)).logits;
  const at::Tensor scores = logits.softmax(1);  // (pictures, classes)
  for (std::int64_t i = 0; i < scores.size(0); ++i) {
    const auto best = static_cast<std::size_t>(scores[i].argmax().item<std::int64_t>());
    fmt::print("{}: {} {:.1f} %\n", pictures->name(i), opened.info.label_names.at(best),
               100 * scores[i].max().item<double>());
  }
} catch (const mgd::Error& error) {
  fmt::print(stderr, "{}\n", error.what());
  return static_cast<int>(error.code());
}
