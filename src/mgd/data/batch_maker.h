// Numbers of pictures -> one micro-batch.
#pragma once

#include "mgd/data/collate.h"
#include "mgd/data/loader.h"
#include "mgd/data/sample_cache.h"

namespace mgd {

class BatchMaker final : public BatchWork {
 public:
  BatchMaker(const ImageSource& source, AugmentChain augment, const LoaderOptions& options);

  std::int64_t num_samples() const override { return source_.size(); }
  std::string sample_name(std::int64_t sample) const override { return source_.name(sample); }
  std::unique_ptr<Bench> make_bench() const override { return std::make_unique<Easel>(); }
  Batch make(std::vector<std::int64_t> samples, std::int64_t epoch, Bench& bench) override;
  std::map<std::string, std::string> corrupt() const override { return cache_.corrupt(); }

 private:
  struct Slot {
    std::shared_ptr<const Image> held;
    Image work, spare;
  };
  struct Easel : Bench {
    Slot first, second;  // the sample and its partner in a mix
    Image pasted;
    std::vector<float> mixed;
  };
  // Null for a corrupt sample that is not replaced.
  const Image* picture(std::int64_t& index, std::int64_t epoch, Easel& bench, Slot& slot);
  struct MixedRow {
    float* input;  // (C, Y, X) or (Y, X, C)
    float* probs;  // (K), zeros
  };
  void mix(const Image& image, std::int64_t index, std::int64_t epoch, Easel& bench, MixedRow row);

  const ImageSource& source_;
  const std::shared_ptr<const ImageSource> held_;  // the same, when somebody shares it
  const AugmentChain augment_;
  SampleCache cache_;
  const Normaliser normaliser_;
  const std::vector<PhiloxKey> keys_;
  const PhiloxKey mix_key_;
  const bool channels_last_, replace_;
  const std::int64_t views_;
  const EvalTransform view_;
  PictureSize size_;
};

}  // namespace mgd
