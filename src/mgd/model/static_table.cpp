#include "mgd/model/static_table.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding_bag.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/ops/argument.h"

namespace mgd {

namespace {

// The tokens that count, text after text.
struct CountedTokens {
  std::vector<std::int64_t> ids, offsets;
};

CountedTokens counted_tokens(const PackedTokens& tokens, std::int64_t vocab_size,
                             const std::vector<std::int64_t>& left_out) {
  const at::Tensor plain = tokens.ids.to(at::kCPU, at::kLong).contiguous();
  const std::int64_t* ids = plain.const_data_ptr<std::int64_t>();
  CountedTokens counted{.ids = {}, .offsets = {0}};
  counted.ids.reserve(static_cast<std::size_t>(tokens.num_tokens()));
  counted.offsets.reserve(tokens.offsets.size());
  for (std::size_t s = 0; s + 1 < tokens.offsets.size(); ++s) {
    for (std::int64_t t = tokens.offsets[s]; t < tokens.offsets[s + 1]; ++t) {
      if (ids[t] < 0 || ids[t] >= vocab_size)
        fail(ExitCode::usage, "static table: token id {} of sequence {}: expected 0 to {}", ids[t], s,
             vocab_size - 1);
      if (std::find(left_out.begin(), left_out.end(), ids[t]) == left_out.end())
        counted.ids.push_back(ids[t]);
    }
    counted.offsets.push_back(static_cast<std::int64_t>(counted.ids.size()));
  }
  return counted;
}

// 1 / (number of tokens of its text) for each token that counts.
std::vector<float> shares_of(const CountedTokens& counted) {
  std::vector<float> shares;
  shares.reserve(counted.ids.size());
  for (std::size_t s = 0; s + 1 < counted.offsets.size(); ++s) {
    const std::int64_t count = counted.offsets[s + 1] - counted.offsets[s];
    shares.insert(shares.end(), static_cast<std::size_t>(count), 1.0F / static_cast<float>(count));
  }
  return shares;
}

}  // namespace

StaticTable::StaticTable(const TextConfig& config)
    : vocab_size_(config.vocab_size),
      left_out_(config.table.left_out),
      embeddings_(add_parameter("embeddings", at::zeros({config.table.rows, config.hidden_size}, at::kFloat),
                                TensorKind::weight)) {
  if (config.table.mapped) mapping_ = &add_buffer("mapping", at::zeros({vocab_size_}, at::kLong));
  if (config.table.weighted) weights_ = &add_buffer("weights", at::ones({vocab_size_}, at::kFloat));
}

at::Tensor StaticTable::forward(const PackedTokens& tokens) const {
  constexpr std::int64_t kSum = 0, kMean = 1;
  if (!tokens.ids.defined() || tokens.offsets.empty() || tokens.ids.numel() != tokens.num_tokens())
    refuse("static table", "ids", tokens.ids, fmt::format("int64 numbers ({})", tokens.num_tokens()));
  const CountedTokens counted = counted_tokens(tokens, vocab_size_, left_out_);
  const at::Device device = embeddings_.device();
  const at::Tensor ids = at::tensor(counted.ids, at::kLong).to(device);
  const at::Tensor offsets = at::tensor(counted.offsets, at::kLong).to(device);
  const at::Tensor rows = mapping_ != nullptr ? mapping_->index_select(0, ids) : ids;
  std::optional<at::Tensor> shares;
  if (weights_ != nullptr)
    shares = weights_->index_select(0, ids) * at::tensor(shares_of(counted), at::kFloat).to(device);
  return std::get<0>(at::embedding_bag(embeddings_, rows, offsets, /*scale_grad_by_freq=*/false,
                                       shares ? kSum : kMean, /*sparse=*/false, shares,
                                       /*include_last_offset=*/true));
}

}  // namespace mgd
