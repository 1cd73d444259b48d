// A convolution with its batch norm in its weights, kept until one of them changes.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <mutex>

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
  // Several threads may run it at once: one of them folds, and what a pass holds is never written again. The
  // sources must not change meanwhile.
  at::Tensor run(const at::Tensor& x, const FoldSources& sources, const Conv2dOptions& options,
                 bool winograd);

 private:
  enum class Form { plain, packed, winograd };
  // What the weights were made of and for. Equal marks: they still serve.
  struct Mark {
    std::int64_t versions = -1;
    const void* data = nullptr;
    at::ScalarType type = at::kFloat;
    Form form = Form::plain;
    bool operator==(const Mark&) const = default;
  };
  struct Kept {
    Mark mark;
    at::Tensor weight, shift;  // shift: (out)
  };
  Kept kept_for(const Mark& mark, const FoldSources& sources, const Conv2dOptions& options,
                const PaddedInput& input);
  static Form form_of(const at::Tensor& input, const Conv2dOptions& options, bool winograd);

  std::mutex mutex_;  // of kept_; a pass holds it while it folds or copies two handles
  Kept kept_;
};

// conv_weight and shift of the folded convolution, in the sources' type.
struct Folded {
  at::Tensor weight, shift;
};
Folded folded(const FoldSources& sources);

}  // namespace mgd
