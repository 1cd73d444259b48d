// Fine-tuning follows plain PyTorch: losses of scripts/fixtures/make_fine_tuning.py, step by step.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "mgd/train/finish.h"
#include "model/support.h"
#include "train/toy.h"

namespace mgd {
namespace {

constexpr int kClasses = 3, kEach = 8, kSide = 12;

void write_pictures(const fs::path& root) {
  for (int c = 0; c < kClasses; ++c) {
    const fs::path folder = root / "train" / std::string(1, static_cast<char>('a' + c));
    fs::create_directories(folder);
    for (int k = 0; k < kEach; ++k) {
      Image image{.height = kSide, .width = kSide, .channels = 3, .pixels = {}};
      for (int y = 0; y < kSide; ++y)
        for (int x = 0; x < kSide; ++x)
          for (int channel = 0; channel < 3; ++channel)
            image.pixels.push_back(static_cast<std::uint8_t>(
                (37 * c + 11 * k + (5 + c) * y * x + 29 * channel * (k + 1) + 3 * c * y) % 256));
      write_file_atomic(folder / fmt::format("{}.png", k), encode_png(image));
    }
  }
}

// Made for five other classes.
void write_weights(const fs::path& file) {
  const auto model = make_model({.architecture = "cifar_resnet8", .num_classes = 5, .width = 0.25}, 9);
  fill_with_pattern(*model);
  write_file_atomic(file, tensors_to_safetensors(state_of(*model)));
}

std::vector<double> losses_of(const fs::path& metrics) {
  std::ifstream file(metrics);
  std::vector<double> losses;
  for (std::string line; std::getline(file, line);)
    if (const auto row = nlohmann::json::parse(line); row.contains("loss")) losses.push_back(row["loss"]);
  return losses;
}

TEST(FineTuning, FollowsPlainPyTorchFrozenAndNot) {
  const toy::TempFolder folder;
  write_pictures(folder.path() / "pictures");
  write_weights(folder.path() / "body.safetensors");
  std::ifstream file(std::string(MGD_SOURCE_DIR "/tests/train/fixtures") + "/fine_tuning.json");
  const auto fixture = nlohmann::json::parse(file);  // outlives its items
  for (const auto& [freeze, expected] : fixture.items()) {
    Node tree = parse_yaml(
        "data: {path: pictures, test: '', validation: 0, loader_threads: 0}\n"
        "student: {model: cifar_resnet8, width: 0.25, weights: body.safetensors}\n"
        "train: {epochs: 50, batch_size: 24, lr: 0.02, log_every: 1, weight_decay: 5e-4, schedule: "
        "constant}\n"
        "run: {threads: 1}\n",
        "parity");
    if (freeze != "nothing") apply_override(tree, "train.freeze=" + freeze);
    const auto run = make_run(read_config(tree, folder.path()));
    ASSERT_EQ(run->total_steps, 50);
    const TensorMap given = load_tensors(folder / "body.safetensors");
    auto& student = dynamic_cast<ImageModel&>(*run->student);
    for (const NamedTensor& entry : student.state())
      if (!student.of_head(entry.name)) {
        EXPECT_TRUE(entry.tensor.equal(given.at(entry.name))) << entry.name;
      }
    fill_with_pattern(student);  // the body as it is, and the head that PyTorch begins with
    toy::Notes notes;
    const RunFolder run_folder(folder.path() / freeze, RunFolder::Open::create);
    train(*run, run_folder, {}, notes.events());
    const std::vector<double> got = losses_of(folder.path() / freeze / "metrics.jsonl");
    ASSERT_EQ(got.size(), 50U);
    for (std::size_t i = 0; i < 50; ++i)
      EXPECT_NEAR(got[i], expected[i].get<double>(), expected[i].get<double>() * (i < 10 ? 1e-4 : 1e-2))
          << freeze << ", step " << i;
  }
}

}  // namespace
}  // namespace mgd
