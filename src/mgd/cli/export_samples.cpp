#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/round.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "mgd/cli/export.h"
#include "mgd/core/error.h"
#include "mgd/core/philox.h"
#include "mgd/data/loader.h"

namespace mgd {

namespace {

// The model's class of each class of the data: by name where the model knows names.
std::vector<std::int64_t> classes_by_name(const ImageSource& source, const ModelFolderInfo& info,
                                          const std::string& data) {
  std::vector<std::int64_t> classes;
  for (const auto& name : source.class_names()) {
    const auto it = std::find(info.label_names.begin(), info.label_names.end(), name);
    if (!info.label_names.empty() && it == info.label_names.end())
      fail(ExitCode::usage, "{}: class '{}' is none of the model's{}", data, printable(name),
           suggestion(name, info.label_names));
    classes.push_back(info.label_names.empty() ? static_cast<std::int64_t>(classes.size())
                                               : it - info.label_names.begin());
  }
  if (static_cast<std::int64_t>(classes.size()) > info.num_classes ||
      (info.label_names.empty() && static_cast<std::int64_t>(classes.size()) != info.num_classes))
    fail(ExitCode::usage, "{}: the data has {} classes, the model {}", data, classes.size(),
         info.num_classes);
  return classes;
}

at::Tensor per_channel(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble).view({-1, 1, 1});
}

at::Tensor normalised(const at::Tensor& pixels, const PreprocessingFacts& facts) {  // (B, C, Y, X) uint8
  return ((pixels.to(at::kDouble) / 255 - per_channel(facts.mean)) / per_channel(facts.std)).to(at::kFloat);
}

}  // namespace

Samples read_samples(const std::string& data, const std::string& split, bool training, std::int64_t most,
                     const OpenedModel& opened) {
  DataConfig config;
  config.path = data;
  if (!training) config.test = split;
  const auto source = open_images(config, training ? Split::train : Split::test);
  const auto classes = classes_by_name(*source, opened.info, data);
  LoaderOptions options;
  options.batch_size = 32;
  options.shuffle = source->size() > most;
  options.mean = opened.info.mean;
  options.std = opened.info.std;
  options.height = opened.info.height;
  options.width = opened.info.width;
  options.channels_last = false;
  options.cache_mb = 0;
  Loader loader(*source, AugmentChain{}, options);
  Samples samples;
  for (std::int64_t step = 0; step < loader.steps_per_epoch() && samples.size() < most; ++step)
    for (const Batch& batch : loader.next().micro) {
      const std::int64_t count = std::min(batch.input.size(0), most - samples.size());
      if (count < 1) break;
      samples.pictures.push_back(batch.input.slice(0, 0, count).contiguous());
      for (std::int64_t b = 0; b < count; ++b)
        samples.labels.push_back(classes.at(static_cast<std::size_t>(batch.target[b].item<std::int64_t>())));
    }
  return samples;
}

Samples random_samples(const PreprocessingFacts& facts) {
  RandomStream random(random_key(1, "export/samples"), 0, 0);
  Samples samples;
  for (const std::int64_t batch : {1, 5}) {
    at::Tensor pixels = at::empty({batch, facts.channels, facts.height, facts.width}, at::kByte);
    auto* data = pixels.mutable_data_ptr<std::uint8_t>();
    std::generate_n(data, pixels.numel(), [&] { return static_cast<std::uint8_t>(random.below(256)); });
    samples.pictures.push_back(normalised(pixels, facts));
  }
  return samples;
}

std::vector<at::Tensor> file_inputs(const Samples& samples, const PreprocessingFacts& facts) {
  if (!facts.in_graph) return samples.pictures;
  std::vector<at::Tensor> pixels;
  for (const at::Tensor& batch : samples.pictures) {
    const at::Tensor level = (batch.to(at::kDouble) * per_channel(facts.std) + per_channel(facts.mean)) * 255;
    pixels.push_back(at::round(level).clamp(0, 255).to(at::kByte).permute({0, 2, 3, 1}).contiguous());
  }
  return pixels;
}

}  // namespace mgd
