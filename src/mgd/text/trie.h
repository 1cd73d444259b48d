// Which of a set of texts begin at a place of a text.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace mgd {

class Trie {
 public:
  // (text, value) pairs; of equal texts the last one counts. Empty texts are never found.
  explicit Trie(std::vector<std::pair<std::string_view, std::uint32_t>> texts = {});

  // Calls visit(length, value) for every text that `text` begins with, shortest first.
  template <class F>
  void prefixes(std::string_view text, const F& visit) const {
    std::uint32_t node = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      node = child(node, static_cast<unsigned char>(text[i]));
      if (node == 0) return;
      if (nodes_[node].value >= 0) visit(i + 1, static_cast<std::uint32_t>(nodes_[node].value));
    }
  }

  bool empty() const { return nodes_.size() <= 1; }

 private:
  struct Node {
    std::uint32_t first_child = 0;  // children stand together, in the order of their bytes
    std::uint16_t num_children = 0;
    unsigned char byte = 0;
    std::int64_t value = -1;
  };
  std::uint32_t child(std::uint32_t node, unsigned char byte) const {
    if (node == 0) return roots_[byte];
    const Node* const begin = nodes_.data() + nodes_[node].first_child;
    const Node* const end = begin + nodes_[node].num_children;
    for (const Node* c = begin; c != end; ++c)
      if (c->byte == byte) return static_cast<std::uint32_t>(c - nodes_.data());
    return 0;
  }
  std::vector<Node> nodes_;  // 0: the root
  std::vector<std::uint32_t> roots_;
};

}  // namespace mgd
