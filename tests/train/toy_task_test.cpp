// A task of somebody's own, of which no part of the training loop has heard: three numbers in, two shares
// out.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/stack.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mgd/data/queued_stream.h"
#include "mgd/nn/layers.h"
#include "mgd/train/finish.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

// Two layers: 3 numbers -> `hidden` -> 2.
class Perceptron final : public Model {
 public:
  Perceptron(std::int64_t hidden, std::uint64_t seed) {
    RandomStream random(random_key(seed, "perceptron"), 0, 0);
    first_ = &make_child<Linear>("first", 3, hidden, random);
    last_ = &make_child<Linear>("last", hidden, 2, random);
    set_path("");
    set_requires_grad(true);
  }
  const std::string& architecture() const override { return name_; }
  NodeInfo info_of(const std::string&, const at::Tensor& activation) const override {
    return {.axes = Axes::vector, .sizes = activation.sizes().slice(1).vec()};
  }
  std::string default_tap() const override { return "last"; }
  bool of_head(const std::string& tensor) const override { return tensor.starts_with("last."); }

 protected:
  Record answer(const Batch& batch, Forward& forward) override {
    return {.logits = last_->forward(first_->forward(batch.input, forward).relu(), forward)};
  }

 private:
  const std::string name_ = "perceptron";
  Linear *first_ = nullptr, *last_ = nullptr;
};

at::Tensor numbers_of(std::int64_t sample) {  // (3)
  return at::sin(at::arange(3, at::kFloat) * static_cast<double>(sample + 1));
}

class Numbers final : public BatchWork {
 public:
  std::int64_t num_samples() const override { return 64; }
  std::string sample_name(std::int64_t sample) const override { return std::to_string(sample); }
  std::unique_ptr<Bench> make_bench() const override { return std::make_unique<Bench>(); }
  Batch make(std::vector<std::int64_t> samples, std::int64_t, Bench&) override {
    std::vector<at::Tensor> rows;
    for (const std::int64_t sample : samples) rows.push_back(numbers_of(sample));
    Batch batch;
    batch.input = at::stack(rows);
    batch.sample_ids = std::move(samples);
    return batch;
  }
  std::map<std::string, std::string> corrupt() const override { return {}; }
};

class NumbersTask final : public Task {
 public:
  explicit NumbersTask(const Config& config) : config_(config) {}

  OpenedTeacher open_teacher(const ModelConfig&, const std::string&) override {
    OpenedTeacher opened{.open = [] { return std::make_unique<Perceptron>(16, 1); }};
    opened.model = opened.open();
    opened.facts = {
        .summary = summary_of(*opened.model), .default_tap = "last", .hash = "seed 1", .num_outputs = 2};
    return opened;
  }
  OpenedStudent open_student() override {
    auto model = std::make_unique<Perceptron>(8, 2);
    const ModelSummary summary = summary_of(*model);
    return {.model = std::move(model), .summary = summary};
  }
  std::unique_ptr<BatchStream> training_stream() const override {
    return stream(config_.train.batch_size, true);
  }
  std::unique_ptr<BatchStream> ordered_stream(std::int64_t batch) const override {
    return stream(batch, false);
  }
  std::unique_ptr<BatchStream> survey_stream(std::int64_t batch, bool shuffled) const override {
    return stream(batch, shuffled);
  }
  std::int64_t num_samples() const override { return 64; }
  std::int64_t num_views() const override { return 1; }
  Headline headline() const override { return {.name = "distance", .higher_is_better = false}; }
  bool has_split(const std::string& split) const override { return split == "test"; }
  Figures measure(Model& model, const std::string&) const override {
    Perceptron teacher(16, 1);
    const at::NoGradGuard no_grad;
    Forward of_model, of_teacher;
    const Batch batch = samples("test", {100, 101, 102, 103});
    const at::Tensor off =
        model.run(batch, of_model).logits.softmax(1) - teacher.run(batch, of_teacher).logits.softmax(1);
    return {{"distance", off.square().mean().item<double>()}};
  }
  double latency_ms(Model& model, Role) const override {
    return measure_latency(model, samples("test", {0}), 3).median_ms;
  }
  std::string fingerprint(const std::string& split) const override { return split; }
  Batch samples(const std::string&, const std::vector<std::int64_t>& indices) const override {
    Numbers numbers;
    return numbers.make(indices, 0, *numbers.make_bench());
  }
  std::map<std::string, std::string> identity() const override { return {{"data", "sines"}}; }
  std::vector<std::string> describe() const override { return {"data       sines"}; }
  std::string data_report_json(const BatchStream&) const override { return "{}\n"; }
  void export_model(const Model& student, const fs::path& folder) const override {
    fs::create_directories(folder);
    write_file_atomic(folder / "model.safetensors", tensors_to_safetensors(state_of(student)));
  }

 private:
  static ModelSummary summary_of(const Model& model) {
    const std::int64_t hidden = model.parameters().front().tensor.size(0);
    return {.architecture = "perceptron",
            .parameters = 5 * hidden + hidden + 2,
            .nodes = {{.name = "first", .shape = {hidden}, .axes = Axes::vector},
                      {.name = "last", .shape = {2}, .axes = Axes::vector}}};
  }
  std::unique_ptr<BatchStream> stream(std::int64_t batch, bool shuffled) const {
    return std::make_unique<QueuedStream>(
        std::make_shared<Numbers>(), StreamOptions{.batch_size = batch, .shuffle = shuffled, .threads = 0});
  }
  const Config config_;
};

Config config_in(const toy::TempFolder& folder, const std::vector<std::string>& extra = {}) {
  Node tree = parse_yaml(
      "teacher: {model: perceptron}\n"
      "student: {model: perceptron}\n"
      "losses: [{name: kd, temperature: 1}]\n"
      "train: {optimizer: adamw, epochs: 30, batch_size: 16, lr: 0.01}\n"
      "run: {seed: 3, threads: 1}\n",
      "toy");
  for (const std::string& assignment : extra) apply_override(tree, assignment);
  return read_config(tree, folder.path());
}

std::unique_ptr<Run> open_run(const Config& config) {
  return make_run(config, std::make_unique<NumbersTask>(config));  // the one line
}

TEST(ToyTask, IsDistilledMeasuredAndExported) {
  const toy::TempFolder folder;
  const auto run = open_run(config_in(folder));
  const double before = run->task->measure(*run->student, "test")[0].second;
  const TrainResult result = train(*run, RunFolder(folder / "run", RunFolder::Open::create), {}, {});
  const FinalMeasures measures = measure_final(*run);
  EXPECT_LT(figure(measures.student.figures, "distance"), 0.1 * before);
  EXPECT_EQ(figure(measures.teacher().figures, "distance"), 0);
  export_student(*run, folder / "out");
  EXPECT_TRUE(fs::exists(folder.path() / "out/model.safetensors"));
  EXPECT_THAT(summary_json(*run, result, measures, "out"), testing::HasSubstr("\"distance\""));
  EXPECT_THAT(describe_run(*run), testing::Contains(testing::HasSubstr("sines")));
}

TEST(ToyTask, ResumesAndKeepsTheTeachersAnswers) {
  const toy::TempFolder folder;
  const std::string cache = "train.teacher_cache=" + (folder / "t.cache");
  const auto weights = [&](const std::string& name, const std::vector<std::string>& extra, bool stop) {
    if (stop) {
      const auto half =
          open_run(config_in(folder, {extra[0], "train.max_steps=50", "train.schedule=constant"}));
      train(*half, RunFolder(folder / name, RunFolder::Open::create), {}, {});
    }
    const auto run = open_run(config_in(folder, {extra[0], "train.schedule=constant"}));
    train(*run, RunFolder(folder / name, stop ? RunFolder::Open::resume : RunFolder::Open::create), {}, {});
    return fingerprint_of(*run->student);
  };
  const std::string straight = weights("straight", {"train.log_every=1"}, false);
  EXPECT_EQ(weights("parts", {"train.log_every=1"}, true), straight);
  EXPECT_EQ(weights("building", {cache}, false), straight);
  EXPECT_EQ(weights("full", {cache}, false), straight);
}

}  // namespace
}  // namespace mgd
