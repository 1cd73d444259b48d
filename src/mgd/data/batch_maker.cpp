#include "mgd/data/batch_maker.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "mgd/core/error.h"
#include "mgd/core/memory.h"
#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

// With the short side at most `side` long.
Image shrunk(Image image, std::int64_t side, Filter filter) {
  const std::int64_t shorter = std::min(image.height, image.width);
  if (shorter <= side) return image;
  const auto scaled = [&](std::int64_t from) { return (from * side + shorter / 2) / shorter; };
  return resize(image, {.height = scaled(image.height), .width = scaled(image.width)}, filter);
}

// Of the first picture; nobody said another.
PictureSize stored_size(SampleCache& cache) {
  std::int64_t first = 0;
  const auto image = cache.get(first);
  return {.height = image->height, .width = image->width};
}

Image required_size(Image image, PictureSize size) {
  if (image.height != size.height || image.width != size.width)
    fail(ExitCode::usage, "data: pictures of several sizes ({} x {} and {} x {}); give one size for all",
         size.height, size.width, image.height, image.width);
  return image;
}

}  // namespace

std::int64_t kept_short_side(PictureSize size, double shortest_cut) {
  constexpr double kMost = 2;
  const auto shorter = static_cast<double>(std::min(size.height, size.width));
  return static_cast<std::int64_t>(std::ceil(shorter * std::clamp(1 / shortest_cut, 1.0, kMost)));
}

BatchMaker::BatchMaker(const ImageSource& source, AugmentChain augment, const LoaderOptions& options)
    : source_(source),
      held_(source.weak_from_this().lock()),
      augment_(std::move(augment)),
      cache_(source, options.cache_mb << 20, options.max_corrupt_frac),
      normaliser_(options.mean, options.std, source.channels()),
      keys_(augment_.keys(options.views > 0 ? 0 : options.seed)),
      mix_key_(random_key(options.views > 0 ? 0 : options.seed, "mix")),
      channels_last_(options.channels_last),
      replace_(options.replace_corrupt),
      views_(options.views),
      view_(options.view),
      size_{.height = options.height, .width = options.width} {
  const bool as_stored = size_.height <= 0 || size_.width <= 0;
  if (as_stored) size_ = stored_size(cache_);
  if (const double cut = augment_.shortest_cut(); cut > 0)
    cache_.prepare_with([side = kept_short_side(size_, cut), filter = view_.filter](Image image) {
      return shrunk(std::move(image), side, filter);
    });
  else if (as_stored)
    cache_.prepare_with([size = size_](Image image) { return required_size(std::move(image), size); });
  else
    cache_.prepare_with([size = size_, view = view_](const Image& image) { return view.apply(image, size); });
}

const Image* BatchMaker::picture(std::int64_t& index, std::int64_t epoch, Easel& bench, Slot& slot) {
  bench.sample = index;
  try {
    slot.held = replace_ ? cache_.get(index) : cache_.find(index);
    const Image* image = slot.held.get();
    if (image == nullptr) return nullptr;
    if (!augment_.steps.empty()) {
      slot.work = *image;  // into memory that is there already
      augment_.apply(slot.work, slot.spare,
                     {.keys = keys_,
                      .epoch = static_cast<std::uint32_t>(epoch),
                      .sample = index,
                      .aim = {.size = size_, .filter = view_.filter}});
      image = &slot.work;
    }
    if (image->height != size_.height || image->width != size_.width) {
      slot.work = view_.apply(*image, size_);
      image = &slot.work;
    }
    bench.sample = -1;
    ++bench.done;
    return image;
  } catch (const Error&) {
    throw;  // names its sample already
  } catch (const std::exception& e) {
    if (memory_shortage(e)) throw;
    fail(ExitCode::internal, "{}: {}", printable(source_.name(bench.sample)), e.what());
  }
}

namespace {

void keep_first(Batch& batch, std::int64_t count) {
  batch.sample_ids.resize(static_cast<std::size_t>(count));
  batch.input = batch.input.narrow(0, 0, count);
  batch.target = batch.target.narrow(0, 0, count);
  if (batch.target_probs.defined()) batch.target_probs = batch.target_probs.narrow(0, 0, count);
}

}  // namespace

Batch BatchMaker::make(std::vector<std::int64_t> samples, std::int64_t epoch, Bench& own) {
  auto& bench = static_cast<Easel&>(own);
  if (views_ > 0) epoch %= views_;
  const auto count = static_cast<std::int64_t>(samples.size());
  const auto channels = source_.channels();
  const auto classes = static_cast<std::int64_t>(source_.class_names().size());
  Batch batch;
  batch.sample_ids = std::move(samples);
  batch.input = at::empty({count, channels, size_.height, size_.width}, at::TensorOptions().dtype(at::kFloat),
                          channels_last_ ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
  batch.target = at::empty({count}, at::TensorOptions().dtype(at::kLong));
  batch.target_type = TargetType::classes;
  batch.names = &source_;
  float* input = batch.input.mutable_data_ptr<float>();
  auto* target = batch.target.mutable_data_ptr<std::int64_t>();
  float* probs = nullptr;
  if (augment_.mixes()) {
    batch.target_probs = at::zeros({count, classes}, at::TensorOptions().dtype(at::kFloat));
    probs = batch.target_probs.mutable_data_ptr<float>();
  }
  std::int64_t made = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t index = batch.sample_ids[static_cast<std::size_t>(i)];
    const Image* image = picture(index, epoch, bench, bench.first);
    if (bench.stop) return batch;
    if (image == nullptr) continue;
    batch.sample_ids[static_cast<std::size_t>(made)] = index;
    target[made] = source_.label(index);
    if (probs != nullptr) {
      mix(*image, index, epoch, bench, {.input = input, .probs = probs + made * classes});
    } else {
      normaliser_.write(*image, channels_last_, input);
    }
    ++made;
    input += channels * size_.height * size_.width;
  }
  if (made < count) keep_first(batch, made);
  return batch;
}

// The partner is drawn from the whole dataset by (seed, epoch, sample), so batching does not matter; it comes
// with its own augmentation.
void BatchMaker::mix(const Image& image, std::int64_t index, std::int64_t epoch, Easel& bench, MixedRow row) {
  RandomStream random(mix_key_, static_cast<std::uint32_t>(epoch), static_cast<std::uint64_t>(index));
  auto partner = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(source_.size())));
  const Image* partner_image = picture(partner, epoch, bench, bench.second);
  if (bench.stop) return;
  const Image& other = partner_image != nullptr ? *partner_image : image;
  const bool both = augment_.mixup_alpha > 0 && augment_.cutmix_alpha > 0;
  const bool cut = augment_.cutmix_alpha > 0 && (!both || random.uniform() < 0.5);
  double lambda = draw_beta(cut ? augment_.cutmix_alpha : augment_.mixup_alpha, random);
  float* out = row.input;
  if (cut) {
    bench.pasted = image;
    lambda = paste_box(bench.pasted, other, lambda, random);
    normaliser_.write(bench.pasted, channels_last_, out);
  } else {
    normaliser_.write(image, channels_last_, out);
    bench.mixed.resize(other.pixels.size());
    normaliser_.write(other, channels_last_, bench.mixed.data());
    const auto keep = static_cast<float>(lambda);
    for (std::size_t i = 0; i < bench.mixed.size(); ++i) out[i] = keep * out[i] + (1 - keep) * bench.mixed[i];
  }
  const auto add = [&](std::int64_t sample, double weight) {
    const std::int64_t label = source_.label(sample);
    if (label >= 0) row.probs[label] += static_cast<float>(weight);
  };
  add(index, lambda);
  add(partner, 1 - lambda);
}

}  // namespace mgd
