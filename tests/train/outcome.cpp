#include "train/outcome.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "mgd/train/checkpoint.h"
#include "mgd/train/identity.h"
#include "train/toy.h"

namespace mgd::toy {

namespace {

std::string rows_without_time(const fs::path& file) {
  std::ifstream in(file);
  std::string all;
  for (std::string line; std::getline(in, line);) {
    auto row = nlohmann::ordered_json::parse(line);
    for (const char* key : {"throughput", "memory_mb", "page_faults"}) row.erase(key);
    all += row.dump() + "\n";
  }
  return all;
}

}  // namespace

Outcome outcome_of(const Run& run, const fs::path& folder) {
  const auto found = load_newest_checkpoint(folder / "checkpoints");
  return {fingerprint_of(*run.student), rows_without_time(folder / "metrics.jsonl"),
          sha256_hex(tensors_to_safetensors(found->checkpoint.optimizer)),
          sha256_hex(tensors_to_safetensors(found->checkpoint.ema))};
}

Outcome train_all(const Config& config, const fs::path& folder, RunFolder::Open open, const Host& host) {
  const auto run = make_run(config, host);
  Notes notes;
  const RunFolder run_folder(folder, open);
  train(*run, run_folder, {}, notes.events());
  return outcome_of(*run, folder);
}

void expect_equal(const Outcome& a, const Outcome& b) {
  EXPECT_EQ(a.weights, b.weights);
  EXPECT_EQ(a.metrics, b.metrics);
  EXPECT_EQ(a.optimizer, b.optimizer);
  EXPECT_EQ(a.ema, b.ema);
}

void expect_resumed_the_same(const Config& config, const fs::path& folder, std::int64_t steps) {
  Config half = config;
  half.train.max_steps = steps;
  const Outcome whole = train_all(config, folder / "whole");
  train_all(half, folder / "parts");
  const Outcome resumed = train_all(config, folder / "parts", RunFolder::Open::resume);
  EXPECT_EQ(resumed.weights, whole.weights);
  EXPECT_EQ(resumed.optimizer, whole.optimizer);
}

}  // namespace mgd::toy
