#include "mgd/data/text_loader.h"

#include "mgd/core/error.h"

namespace mgd {

namespace {

class TextWork final : public BatchWork {
 public:
  TextWork(const TextSource& source, MakeTextBatch make, std::map<std::string, std::string> corrupt)
      : source_(source),
        held_(source.weak_from_this().lock()),
        make_(std::move(make)),
        corrupt_(std::move(corrupt)) {}

  std::int64_t num_samples() const override { return source_.size(); }
  std::string sample_name(std::int64_t sample) const override { return fmt::format("sample {}", sample); }
  std::unique_ptr<Bench> make_bench() const override { return std::make_unique<Bench>(); }
  std::map<std::string, std::string> corrupt() const override { return corrupt_; }

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
  const std::map<std::string, std::string> corrupt_;
};

}  // namespace

TextLoader::TextLoader(const TextSource& source, MakeTextBatch make, const StreamOptions& options,
                       std::map<std::string, std::string> corrupt)
    : QueuedStream(std::make_shared<TextWork>(source, std::move(make), std::move(corrupt)), options) {}

}  // namespace mgd
