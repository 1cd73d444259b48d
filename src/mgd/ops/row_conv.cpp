#include "mgd/ops/row_conv.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>

#include "mgd/core/error.h"

namespace mgd {

RowPairs row_pairs(std::span<const std::int64_t> offsets, std::span<const std::int64_t> in,
                   std::span<const std::int64_t> out, at::Device device) {
  MGD_ASSERT(!offsets.empty());
  std::vector<std::int64_t> place(static_cast<std::size_t>(offsets.back()), -1);
  for (std::size_t i = 0; i < in.size(); ++i)
    place.at(static_cast<std::size_t>(in[i])) = static_cast<std::int64_t>(i);
  std::array<std::vector<std::int64_t>, 3> from, to;
  std::size_t sequence = 0;
  for (std::size_t j = 0; j < out.size(); ++j) {
    while (out[j] >= offsets[sequence + 1]) ++sequence;
    for (std::int64_t d = 0; d < 3; ++d) {
      const std::int64_t row = out[j] + d - 1;
      if (row < offsets[sequence] || row >= offsets[sequence + 1]) continue;
      const std::int64_t found = place[static_cast<std::size_t>(row)];
      if (found < 0) continue;
      from[static_cast<std::size_t>(d)].push_back(found);
      to[static_cast<std::size_t>(d)].push_back(static_cast<std::int64_t>(j));
    }
  }
  RowPairs pairs{.num_out = static_cast<std::int64_t>(out.size())};
  for (std::size_t d = 0; d < 3; ++d) {
    pairs.from[d] = at::tensor(from[d], at::kLong).to(device);
    pairs.to[d] = at::tensor(to[d], at::kLong).to(device);
  }
  return pairs;
}

at::Tensor row_conv3(const at::Tensor& in, const RowPairs& pairs, const at::Tensor& weight,
                     const at::Tensor& bias) {
  if (in.dim() != 2 || weight.dim() != 3 || weight.size(2) != 3 || weight.size(1) != in.size(1) ||
      bias.dim() != 1 || bias.size(0) != weight.size(0))
    fail(ExitCode::usage, "row_conv3: got rows {}, weight {}, bias {}; expected (n, I), (O, I, 3), (O)",
         c10::str(in.sizes()), c10::str(weight.sizes()), c10::str(bias.sizes()));
  at::Tensor out = bias.unsqueeze(0).expand({pairs.num_out, weight.size(0)});
  for (std::int64_t d = 0; d < 3; ++d) {
    const auto tap = static_cast<std::size_t>(d);
    if (pairs.from[tap].numel() == 0) continue;
    const at::Tensor product = at::linear(in.index_select(0, pairs.from[tap]), weight.select(2, d));
    out = out.index_add(0, pairs.to[tap], product.to(out.scalar_type()));
  }
  return out;
}

}  // namespace mgd
