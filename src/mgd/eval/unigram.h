// Guessing a token by how often each one was seen, whatever stands around it: what a language model has to
// beat.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace mgd {

class UnigramModel {
 public:
  explicit UnigramModel(std::int64_t vocab_size);

  void count(std::span<const std::int64_t> ids);  // each within the vocabulary

  // - log((n + 1) / (N + V)): n of N tokens counted were `id`, of a vocabulary of V (Laplace's rule).
  double nats(std::int64_t id) const;
  // Mean over `ids`; 0 without any.
  double mean_nats(std::span<const std::int64_t> ids) const;

 private:
  std::vector<std::int64_t> counts_;
  std::int64_t total_ = 0;
};

}  // namespace mgd
