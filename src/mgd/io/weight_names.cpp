#include "mgd/io/weight_names.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

namespace mgd {

namespace {

constexpr std::array kAverages{"ema", "model_ema", "ema_model", "state_dict_ema", "ema_state_dict"};
constexpr std::array kWrappers{"module",  "_orig_mod", "model",      "backbone",         "student",
                               "network", "net",       "state_dict", "model_state_dict", "encoder"};
constexpr const char* kAverageCount = "n_averaged";  // torch.optim.swa_utils.AveragedModel's

struct Unwrapped {
  TensorMap tensors;
  std::vector<std::string> taken_off;
  std::size_t left_out = 0;
};

template <std::size_t N>
std::string found_among(const std::array<const char*, N>& words, const TensorMap& tensors) {
  for (const auto& [name, tensor] : tensors) {
    const std::size_t dot = name.find('.');
    if (dot == std::string::npos) continue;
    const auto word = std::find(words.begin(), words.end(), name.substr(0, dot));
    if (word != words.end()) return *word + std::string(".");
  }
  return "";
}

// `inner`: the tensors below `prefix`, without it; `outer`: all others.
struct Halves {
  TensorMap inner, outer;
};

Halves halves_of(TensorMap tensors, const std::string& prefix) {
  Halves halves;
  for (auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix))
      halves.inner.emplace(name.substr(prefix.size()), std::move(tensor));
    else
      halves.outer.emplace(name, std::move(tensor));
  }
  return halves;
}

bool share_a_name(const TensorMap& a, const TensorMap& b) {
  return std::any_of(a.begin(), a.end(), [&](const auto& entry) { return b.contains(entry.first); });
}

Unwrapped unwrap(TensorMap tensors);

Unwrapped prefer_average(Halves halves, const std::string& prefix) {
  Unwrapped average = unwrap(std::move(halves.inner)), other = unwrap(std::move(halves.outer));
  average.taken_off.insert(average.taken_off.begin(), prefix);
  average.left_out += other.left_out;
  for (auto& [name, tensor] : other.tensors)
    if (!average.tensors.emplace(name, tensor).second) ++average.left_out;
  return average;
}

Unwrapped unwrap(TensorMap tensors) {
  if (const std::string prefix = found_among(kAverages, tensors); !prefix.empty())
    return prefer_average(halves_of(std::move(tensors), prefix), prefix);
  Unwrapped result{.tensors = std::move(tensors)};
  if (const std::string prefix = found_among(kWrappers, result.tensors); !prefix.empty()) {
    Halves halves = halves_of(result.tensors, prefix);
    if (share_a_name(halves.inner, halves.outer)) return result;
    halves.inner.merge(halves.outer);
    result = unwrap(std::move(halves.inner));
    result.taken_off.insert(result.taken_off.begin(), prefix);
  }
  if (const auto count = result.tensors.find(kAverageCount);
      count != result.tensors.end() && count->second.dim() == 0) {
    result.tensors.erase(count);
    ++result.left_out;
  }
  return result;
}

}  // namespace

TensorMap unwrapped_names(TensorMap tensors, std::string& note) {
  Unwrapped result = unwrap(std::move(tensors));
  note.clear();
  if (!result.taken_off.empty())
    note = fmt::format("names read without {}", fmt::join(result.taken_off, ", "));
  if (result.left_out > 0)
    note += fmt::format("{}{} tensors left out that are there averaged, or count", note.empty() ? "" : "; ",
                        result.left_out);
  return std::move(result.tensors);
}

}  // namespace mgd
