#include "mgd/model/text_pooling.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/ops/argument.h"

namespace mgd {

namespace {

at::Tensor mean_rows(const at::Tensor& rows, const std::vector<std::int64_t>& offsets) {
  const auto S = static_cast<std::int64_t>(offsets.size()) - 1;
  std::vector<std::int64_t> sequence(static_cast<std::size_t>(offsets.back()));
  std::vector<double> share(static_cast<std::size_t>(S));
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
    std::fill(sequence.begin() + offsets[s], sequence.begin() + offsets[s + 1], static_cast<std::int64_t>(s));
    share[s] = 1.0 / static_cast<double>(std::max<std::int64_t>(1, offsets[s + 1] - offsets[s]));
  }
  const at::Tensor sums = at::zeros({S, rows.size(1)}, rows.options())
                              .index_add(0, at::tensor(sequence, at::kLong).to(rows.device()), rows);
  return sums * at::tensor(share, at::kDouble).to(rows.options()).unsqueeze(1);
}

}  // namespace

at::Tensor pool_rows(const at::Tensor& rows, const std::vector<std::int64_t>& offsets,
                     const std::string& pooling) {
  if (offsets.empty() || !is_real(rows, 2) || rows.size(0) != offsets.back())
    refuse("pooling", "rows", rows,
           offsets.empty() ? "offsets, from 0" : fmt::format("numbers ({}, H)", offsets.back()));
  if (pooling == "mean") return mean_rows(rows, offsets);
  if (pooling != "cls" && pooling != "last")
    fail(ExitCode::usage, "pooling: got '{}'{}", pooling, suggestion(pooling, {"cls", "last", "mean"}));
  std::vector<std::int64_t> index;
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
    if (offsets[s] == offsets[s + 1])
      fail(ExitCode::usage, "sequence {} of the batch has no tokens, expected at least one", s);
    index.push_back(pooling == "cls" ? offsets[s] : offsets[s + 1] - 1);
  }
  return rows.index_select(0, at::tensor(index, at::kLong).to(rows.device()));
}

at::Tensor unit_rows(const at::Tensor& x) {
  return x / at::linalg_vector_norm(x, 2, {1}, /*keepdim=*/true).clamp_min(1e-12);
}

}  // namespace mgd
