#include "mgd/train/checkpoint.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/publish.h"
#include "mgd/teach/facts.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

json shares_json(const TermShares& shares) {
  json all = json::array();
  for (const TermShare& t : shares.terms)
    all.push_back({{"label", t.label},
                   {"measures", t.measures},
                   {"first_step", t.first_step},
                   {"last_step", t.last_step},
                   {"first", t.first},
                   {"last", t.last},
                   {"most", t.most},
                   {"weight_for_tenth", t.weight_for_tenth},
                   {"reaches", t.reaches},
                   {"told", t.told}});
  return all;
}

TermShares parse_shares(const json& all) {
  TermShares shares;
  for (const json& t : all)
    shares.terms.push_back({.label = t.at("label"),
                            .measures = t.at("measures"),
                            .first_step = t.at("first_step"),
                            .last_step = t.at("last_step"),
                            .first = t.at("first"),
                            .last = t.at("last"),
                            .most = t.at("most"),
                            .weight_for_tenth = t.at("weight_for_tenth"),
                            .reaches = t.at("reaches"),
                            .told = t.at("told")});
  return shares;
}

json state_json(const Checkpoint& c) {
  return {{"format", 1},
          {"step", c.step},
          {"samples", c.samples},
          {"seconds", c.seconds},
          {"metrics_bytes", c.metrics_bytes},
          {"guard",
           {{"mean", c.guard.mean},
            {"variance", c.guard.variance},
            {"accepted", c.guard.accepted},
            {"consecutive_bad", c.guard.consecutive_bad},
            {"rollbacks", c.guard.rollbacks},
            {"updates_since_roll_back", c.guard.updates_since_roll_back}}},
          {"gradient_shares", shares_json(c.shares)},
          {"no_gradient",
           {{"steps", c.no_gradient.steps}, {"learns", c.no_gradient.learns}, {"told", c.no_gradient.told}}},
          {"best_epoch", c.best_epoch},
          {"best_value", c.best_value},
          {"evaluations_without_better", c.evaluations_without_better},
          {"skipped_steps", c.skipped_steps},
          {"identity", c.identity}};
}

Checkpoint parse_state(const json& s) {
  Checkpoint c;
  c.step = s.at("step");
  c.samples = s.at("samples");
  c.seconds = s.at("seconds");
  c.metrics_bytes = s.at("metrics_bytes");
  const json& guard = s.at("guard");
  c.guard = {.mean = guard.at("mean"),
             .variance = guard.at("variance"),
             .accepted = guard.at("accepted"),
             .consecutive_bad = guard.at("consecutive_bad"),
             .rollbacks = guard.at("rollbacks"),
             // A checkpoint of an earlier version does not say.
             .updates_since_roll_back = guard.value("updates_since_roll_back", std::int64_t{1})};
  c.shares = parse_shares(s.value("gradient_shares", json::array()));  // nor of this
  if (const auto zero = s.find("no_gradient"); zero != s.end())
    c.no_gradient = {.steps = zero->at("steps"), .learns = zero->at("learns"), .told = zero->at("told")};
  c.best_epoch = s.at("best_epoch");
  // JSON has no NaN: a figure that could not be computed is null.
  c.best_value = s.at("best_value").is_null() ? std::nan("") : s.at("best_value").get<double>();
  c.evaluations_without_better = s.at("evaluations_without_better");
  c.skipped_steps = s.at("skipped_steps").get<std::vector<std::string>>();
  c.identity = s.at("identity").get<std::map<std::string, std::string>>();
  return c;
}

// step-NNNNNNNN folders, newest first.
std::vector<fs::path> list_checkpoints(const fs::path& folder) {
  std::vector<fs::path> found;
  if (!fs::is_directory(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && entry.path().filename().string().starts_with("step-"))
      found.push_back(entry.path());
  std::sort(found.rbegin(), found.rend());
  return found;
}

Checkpoint load_checkpoint(const fs::path& path) {
  Checkpoint c = parse_state(json::parse(read_file(path / "state.json")));
  c.trained = load_tensors((path / "trained.safetensors").string());
  c.optimizer = load_tensors((path / "optimizer.safetensors").string());
  if (fs::exists(path / "ema.safetensors")) c.ema = load_tensors((path / "ema.safetensors").string());
  if (fs::exists(path / "best.safetensors")) c.best = load_tensors((path / "best.safetensors").string());
  return c;
}

}  // namespace

void save_checkpoint(const fs::path& folder, const Checkpoint& checkpoint, int keep) {
  const std::string name = fmt::format("step-{:08}", checkpoint.step);
  DirectoryPublisher publisher(folder / name);
  publisher.add("trained.safetensors", tensors_to_safetensors(checkpoint.trained));
  publisher.add("optimizer.safetensors", tensors_to_safetensors(checkpoint.optimizer));
  if (!checkpoint.ema.empty()) publisher.add("ema.safetensors", tensors_to_safetensors(checkpoint.ema));
  if (!checkpoint.best.empty()) publisher.add("best.safetensors", tensors_to_safetensors(checkpoint.best));
  publisher.add("state.json", state_json(checkpoint).dump(2) + "\n");
  publisher.publish();
  write_file_atomic(folder / "latest", name + "\n");
  const auto all = list_checkpoints(folder);
  for (std::size_t i = static_cast<std::size_t>(keep); i < all.size(); ++i) {
    std::error_code ignored;  // a checkpoint too many does no harm
    fs::remove_all(all[i], ignored);
  }
}

std::optional<FoundCheckpoint> load_newest_checkpoint(const fs::path& folder, bool strict) {
  FoundCheckpoint found;
  for (const auto& path : list_checkpoints(folder)) {
    std::string problem = verify_manifest(path);
    if (problem.empty()) {
      try {
        found.checkpoint = load_checkpoint(path);
        found.path = path;
        return found;
      } catch (const json::exception& error) {
        problem = fmt::format("state.json: {}", error.what());
      } catch (const Error& error) {
        problem = error.what();
      }
    }
    found.skipped.push_back(fmt::format("{}: {}", path.string(), problem));
    if (strict)
      fail(ExitCode::bad_data, "checkpoint {}; without --strict the one before it would be used",
           found.skipped.back());
  }
  if (!found.skipped.empty())
    fail(ExitCode::bad_data, "no checkpoint in {} can be read: {}", folder.string(),
         fmt::join(found.skipped, "; "));
  return std::nullopt;
}

void require_same_identity(const std::map<std::string, std::string>& stored,
                           const std::map<std::string, std::string>& now, const std::string& where) {
  const std::string differences = difference_of(stored, now);
  if (!differences.empty())
    fail(ExitCode::usage,
         "cannot resume {}: the run has changed:{}\nstart anew with --overwrite or another --run-dir", where,
         differences);
}

}  // namespace mgd
