#include "mgd/train/principal_components.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/where.h>

#include "mgd/core/error.h"
#include "mgd/ops/argument.h"

namespace mgd {

ComponentScores principal_components(const at::Tensor& rows, std::int64_t count) {
  if (!is_real(rows, 2) || rows.numel() == 0) refuse("principal components", "rows", rows, "numbers (n, H)");
  const std::int64_t most = std::min(rows.size(0), rows.size(1));
  if (count < 1 || count > most)
    fail(ExitCode::usage, "principal components: got {}, expected 1 to {}: there are {} rows of {} numbers",
         count, most, rows.size(0), rows.size(1));
  const at::NoGradGuard no_grad;
  const at::Tensor centred = rows.to(at::kCPU, at::kDouble) - rows.to(at::kCPU, at::kDouble).mean(0, true);
  // X = Q R and R = U S V^T: X has the singular values and right vectors of R, which is small.
  const at::Tensor triangle = std::get<1>(at::linalg_qr(centred, "r"));
  const auto [u, singular, vt] = at::linalg_svd(triangle, /*full_matrices=*/false);
  at::Tensor scores = centred.mm(vt.slice(0, 0, count).t());
  const at::Tensor widest = scores.gather(0, scores.abs().argmax(0, /*keepdim=*/true));
  scores = at::where(widest < 0, -scores, scores);
  const at::Tensor variance = singular * singular;
  const auto all = variance.sum().item<double>();
  return {.scores = scores,
          .explained = all > 0 ? variance.slice(0, 0, count).sum().item<double>() / all : 1};
}

}  // namespace mgd
