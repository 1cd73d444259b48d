#include "mgd/text/trie.h"

#include <algorithm>

namespace mgd {

Trie::Trie(std::vector<std::pair<std::string_view, std::uint32_t>> texts) : nodes_(1), roots_(256, 0) {
  std::stable_sort(texts.begin(), texts.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  // Texts [begin, end) share the first `depth` bytes, which spell `node`.
  struct Part {
    std::uint32_t node;
    std::size_t begin, end, depth;
  };
  std::vector<Part> parts{{0, 0, texts.size(), 0}};
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const Part part = parts[p];
    std::size_t i = part.begin;
    for (; i < part.end && texts[i].first.size() == part.depth; ++i)
      if (part.depth > 0) nodes_[part.node].value = texts[i].second;
    nodes_[part.node].first_child = static_cast<std::uint32_t>(nodes_.size());
    while (i < part.end) {
      const char byte = texts[i].first[part.depth];
      const std::size_t begin = i;
      while (i < part.end && texts[i].first[part.depth] == byte) ++i;
      const auto child = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({.byte = static_cast<unsigned char>(byte)});
      ++nodes_[part.node].num_children;
      if (part.node == 0) roots_[static_cast<unsigned char>(byte)] = child;
      parts.push_back({child, begin, i, part.depth + 1});
    }
  }
}

}  // namespace mgd
