// A convolution with its batch norm in its weights, kept until one of them changes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace mgd {

struct Conv2dOptions;
struct PaddedInput;

// Everything that norm(conv(x)) depends on.
struct FoldSources {
  const at::Tensor& conv_weight;                 // (out, in/groups, kernel, kernel)
  const at::Tensor* conv_bias = nullptr;         // (out)
  const at::Tensor &norm_weight, &norm_bias;     // (out)
  const at::Tensor &running_mean, &running_var;  // (out)
  const at::Tensor& num_batches_tracked;         // moves whenever the statistics do
  double eps = 1e-5;                             // of the norm; the same for all its life
};

class FoldedConv {
 public:
  // norm(conv(x)) in evaluation, without gradient; under autocast in bfloat16.
  // Folds when a source is not what it was; on the CPU the weights then lie in oneDNN's own order, which
  // otherwise each pass puts them into.
  // winograd: where that is faster, from a filter that is kept too, of four times the weights' size.
  at::Tensor run(const at::Tensor& x, const FoldSources& sources, const Conv2dOptions& options,
                 bool winograd);

 private:
  enum class Form { plain, packed, winograd };
  void fold(const FoldSources& sources, const Conv2dOptions& options, const PaddedInput& input, Form form);
  static Form form_of(const at::Tensor& input, const Conv2dOptions& options, bool winograd);

  std::int64_t versions_ = -1;
  const void* data_ = nullptr;
  at::ScalarType type_ = at::kFloat;
  Form form_ = Form::plain;
  at::Tensor weight_, shift_;  // shift: (out)
};

// conv_weight and shift of the folded convolution, in the sources' type.
struct Folded {
  at::Tensor weight, shift;
};
Folded folded(const FoldSources& sources);

}  // namespace mgd
