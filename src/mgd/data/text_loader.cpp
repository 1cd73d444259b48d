#include "mgd/data/text_loader.h"

#include "mgd/core/error.h"

namespace mgd {

namespace {

class TextWork final : public BatchWork {
 public:
  TextWork(const TextSource& source, MakeTextBatch make)
      : source_(source), held_(source.weak_from_this().lock()), make_(std::move(make)) {}

  std::int64_t num_samples() const override { return source_.size(); }
  std::string sample_name(std::int64_t sample) const override { return fmt::format("sample {}", sample); }
  std::unique_ptr<Bench> make_bench() const override { return std::make_unique<Bench>(); }
  // A document that cannot be read is no sample: it was left out when the corpus was tokenised.
  std::map<std::string, std::string> corrupt() const override { return {}; }

  Batch make(std::vector<std::int64_t> samples, std::int64_t epoch, Bench& bench) override {
    std::vector<TextSample> texts;
    texts.reserve(samples.size());
    for (const std::int64_t sample : samples) {
      bench.sample = sample;
      texts.push_back(source_.sample(sample, epoch));
      bench.sample = -1;
      ++bench.done;
      if (bench.stop) return {};
    }
    return make_(texts, epoch);
  }

 private:
  const TextSource& source_;
  const std::shared_ptr<const TextSource> held_;  // the same, when somebody shares it
  const MakeTextBatch make_;
};

}  // namespace

TextLoader::TextLoader(const TextSource& source, MakeTextBatch make, const StreamOptions& options)
    : QueuedStream(std::make_shared<TextWork>(source, std::move(make)), options) {}

}  // namespace mgd
