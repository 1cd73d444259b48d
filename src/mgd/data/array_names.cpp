#include "mgd/data/array_names.h"

#include <array>
#include <set>
#include <string_view>

namespace mgd {
namespace {

struct Words {
  std::string_view pictures, labels;
};
constexpr std::array<Words, 9> kWords = {{{"x", "y"},
                                          {"X", "y"},
                                          {"X", "Y"},
                                          {"images", "labels"},
                                          {"imgs", "labels"},
                                          {"data", "labels"},
                                          {"data", "target"},
                                          {"data", "targets"},
                                          {"features", "labels"}}};

// "x_train", "train_x" or "x".
std::array<std::string, 2> spelled(std::string_view word, const std::string& split) {
  const std::string w(word);
  if (split.empty()) return {w, w};
  return {w + "_" + split, split + "_" + w};
}

}  // namespace

ArrayPair find_pair(const Arrays& arrays, const std::string& split) {
  for (const Words& words : kWords) {
    const auto pictures = spelled(words.pictures, split), labels = spelled(words.labels, split);
    for (std::size_t way = 0; way < pictures.size(); ++way)
      if (arrays.contains(pictures[way]) && arrays.contains(labels[way])) return {pictures[way], labels[way]};
  }
  return {};
}

std::vector<std::string> splits_of(const Arrays& arrays) {
  std::set<std::string> splits;
  for (const auto& [name, array] : arrays)
    for (auto at = name.find('_'); at != std::string::npos; at = name.find('_', at + 1))
      for (const std::string& split : {name.substr(0, at), name.substr(at + 1)})
        if (find_pair(arrays, split).found()) splits.insert(split);
  return {splits.begin(), splits.end()};
}

}  // namespace mgd
