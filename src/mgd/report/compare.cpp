#include "mgd/report/compare.h"

#include <algorithm>
#include <map>
#include <set>

#include "mgd/core/error.h"
#include "mgd/eval/figures.h"

namespace mgd {

namespace {

// "alone-3" of seed 3 -> "alone".
std::string without_seed(const RunRecord& run) {
  const std::string seed = std::to_string(run.seed);
  std::string name = run.name;
  if (!name.ends_with(seed)) return name;
  name = name.substr(0, name.size() - seed.size());
  for (const char* mark : {"seed", "s"})
    if (name.ends_with(std::string("-") + mark) || name.ends_with(std::string("_") + mark))
      name = name.substr(0, name.size() - std::string_view(mark).size());
  while (!name.empty() && (name.back() == '-' || name.back() == '_' || name.back() == '.')) name.pop_back();
  return name.empty() ? run.name : name;
}

void require_same(const RunRecord& first, const RunRecord& other, const char* what, const std::string& a,
                  const std::string& b) {
  if (a == b) return;
  fail(ExitCode::usage, "compare: {} and {} cannot stand side by side: {}: got '{}' and '{}'", first.folder,
       other.folder, what, a.substr(0, 16), b.substr(0, 16));
}

void check_comparable(const std::vector<RunRecord>& runs) {
  std::set<std::string> folders;
  for (const RunRecord& run : runs) {
    if (!folders.insert(fs::absolute(run.folder).lexically_normal().string()).second)
      fail(ExitCode::usage, "compare: {} is given twice", run.folder);
    const RunRecord& first = runs.front();
    require_same(first, run, "task", first.task, run.task);
    require_same(first, run, "figure", first.headline, run.headline);
    require_same(first, run, "measured split", first.split, run.split);
    require_same(first, run, "samples they were measured on", first.fingerprint, run.fingerprint);
  }
}

void summarise(MethodGroup& group) {
  std::stable_sort(group.runs.begin(), group.runs.end(),
                   [](const auto& a, const auto& b) { return a.seed < b.seed; });
  std::vector<double> values, validation;
  for (std::size_t i = 0; i < group.runs.size(); ++i) {
    const RunRecord& run = group.runs[i];
    if (i > 0 && run.seed == group.runs[i - 1].seed)
      fail(ExitCode::usage, "compare: {} and {} have the same recipe and the same seed {}: one run, not two",
           group.runs[i - 1].folder, run.folder, run.seed);
    values.push_back(run.value);
    validation.push_back(run.validation_value);
  }
  group.value = mean_spread(values);
  group.validation = mean_spread(validation);
}

std::vector<MethodGroup> group_by_recipe(std::vector<RunRecord> runs) {
  std::vector<MethodGroup> groups;
  for (RunRecord& run : runs) {
    const auto same = std::find_if(groups.begin(), groups.end(), [&](const MethodGroup& g) {
      return g.runs.front().settings == run.settings && g.runs.front().architecture == run.architecture;
    });
    if (same != groups.end()) {
      same->runs.push_back(std::move(run));
    } else {
      groups.emplace_back();
      groups.back().runs.push_back(std::move(run));
    }
  }
  std::map<std::string, int> seen;
  for (MethodGroup& group : groups) {
    summarise(group);
    group.name = without_seed(group.runs.front());
    if (const int before = seen[group.name]++; before > 0) group.name += fmt::format(" ({})", before + 1);
  }
  return groups;
}

// By the samples that one run of each answered.
void pair_samples(const RunRecord& run, const RunRecord& reference, MethodGroup& group) {
  PairedCounts counts;
  for (const auto& [input, answer] : run.answers) {
    const auto other = reference.answers.find(input);
    if (other == reference.answers.end()) continue;
    ++counts.count;
    counts.first_only += answer.right() && !other->second.right() ? 1 : 0;
    counts.second_only += !answer.right() && other->second.right() ? 1 : 0;
  }
  if (counts.count == 0) return;
  group.pairing = Pairing::samples;
  group.difference = paired_difference(counts);
  group.pairs = counts.count;
}

void pair_groups(MethodGroup& group, const MethodGroup& reference, bool is_share) {
  std::vector<double> differences;
  const RunRecord *run = nullptr, *other_run = nullptr;
  for (const RunRecord& one : group.runs)
    for (const RunRecord& other : reference.runs)
      if (one.seed == other.seed) {
        differences.push_back(one.value - other.value);
        run = &one;
        other_run = &other;
      }
  if (differences.size() >= 2) {
    group.pairing = Pairing::seeds;
    group.difference = mean_difference(differences);
    group.pairs = static_cast<std::int64_t>(differences.size());
  } else if (is_share) {
    if (run == nullptr) {
      run = &group.runs.front();
      other_run = &reference.runs.front();
    }
    pair_samples(*run, *other_run, group);
    if (group.runs.size() > 1 || reference.runs.size() > 1)
      group.pair_of = fmt::format("{} and {}", run->name, other_run->name);
  }
}

void find_differing(Comparison& comparison) {
  std::set<std::string> keys;
  for (const MethodGroup& group : comparison.groups)
    for (const auto& [key, value] : group.runs.front().settings) keys.insert(key);
  for (const std::string& key : keys) {
    std::vector<std::string> values;
    for (const MethodGroup& group : comparison.groups) {
      const auto& settings = group.runs.front().settings;
      const auto found = settings.find(key);
      values.push_back(found == settings.end() ? "" : found->second);
    }
    if (std::set<std::string>(values.begin(), values.end()).size() > 1)
      comparison.differing.emplace_back(key, values);
  }
}

std::size_t find_reference(const std::vector<MethodGroup>& groups, const std::string& against) {
  if (against.empty()) return 0;
  std::vector<std::string> names;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (groups[g].name == against) return g;
    names.push_back(groups[g].name);
    for (const RunRecord& run : groups[g].runs)
      if (run.name == against || run.folder == against) return g;
  }
  fail(ExitCode::usage, "--against: no run or method '{}'{}", against, suggestion(against, names));
}

}  // namespace

Comparison compare_runs(std::vector<RunRecord> runs, const std::string& against) {
  if (runs.size() < 2) fail(ExitCode::usage, "compare: got {} run, expected two or more", runs.size());
  check_comparable(runs);
  Comparison comparison{.headline = runs.front().headline, .split = runs.front().split};
  comparison.higher_is_better = runs.front().higher_is_better();
  comparison.is_share = shown_in_per_cent(comparison.headline);
  comparison.groups = group_by_recipe(std::move(runs));
  comparison.reference = find_reference(comparison.groups, against);
  for (std::size_t g = 0; g < comparison.groups.size(); ++g)
    if (g != comparison.reference)
      pair_groups(comparison.groups[g], comparison.groups[comparison.reference], comparison.is_share);
  find_differing(comparison);
  return comparison;
}

}  // namespace mgd
