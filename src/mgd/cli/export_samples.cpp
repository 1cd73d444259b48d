#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/round.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "mgd/cli/export.h"
#include "mgd/core/error.h"
#include "mgd/core/philox.h"
#include "mgd/data/loader.h"
#include "mgd/data/source_lines.h"

namespace mgd {

namespace {

at::Tensor per_channel(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble).view({-1, 1, 1});
}

at::Tensor normalised(const at::Tensor& pixels, const PreprocessingFacts& facts) {  // (B, C, Y, X) uint8
  return ((pixels.to(at::kDouble) / 255 - per_channel(facts.mean)) / per_channel(facts.std)).to(at::kFloat);
}

}  // namespace

std::shared_ptr<const ImageSource> pictures_of(const std::string& model, const OpenedModel& opened,
                                               const std::string& data, const std::string& split,
                                               Console& console) {
  DataConfig config;
  config.path = data;
  if (!split.empty()) config.test = split;
  if (const auto channels = opened.info.in_channels; channels == 1 || channels == 3)
    config.channels = channels;
  return in_classes_of(opened, model, open_images(config, split.empty() ? Split::train : Split::test),
                       console);
}

Samples read_samples(const ExportJob& job, const ImageSource& source, std::int64_t most) {
  const ModelFolderInfo& info = job.opened.info;
  LoaderOptions options;
  options.batch_size = 32;
  options.shuffle = source.size() > most;
  options.mean = info.mean;
  options.std = info.std;
  options.height = info.height;
  options.width = info.width;
  options.view = job.view;
  options.channels_last = false;
  options.cache_mb = 0;
  options.replace_corrupt = false;
  Loader loader(source, AugmentChain{}, options);
  Samples samples;
  for (std::int64_t step = 0; step < loader.steps_per_epoch() && samples.size() < most; ++step)
    for (const Batch& batch : loader.next().micro) {
      const std::int64_t count = std::min(batch.size(), most - samples.size());
      if (count < 1) continue;
      samples.pictures.push_back(batch.input.slice(0, 0, count).contiguous());
      for (std::int64_t b = 0; b < count; ++b) samples.labels.push_back(batch.target[b].item<std::int64_t>());
    }
  for (const auto& line : unread_lines(loader.corrupt(), source.size(), "left out")) job.console.note(line);
  if (samples.size() == 0) fail(ExitCode::bad_data, "data: none of {} samples could be read", source.size());
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
