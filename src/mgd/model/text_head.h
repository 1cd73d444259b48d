// The head of a text model: [dropout] -> [dense -> activation -> [norm]] -> [dropout] -> output.
#pragma once

#include <string>

#include "mgd/model/text_names.h"
#include "mgd/types/tokens.h"

namespace mgd {

struct HeadOptions {
  std::int64_t hidden = 0, outputs = 0;
  std::string activation = "tanh";
  bool dense_bias = true, norm_bias = true, out_bias = true;
  bool tied = false;  // the output's weight is somebody else's
  double norm_eps = 1e-12, dropout_before = 0, dropout_after = 0;
  double deviation = 0.02, out_deviation = 0.02;
};

class ClassifierHead : public Module {
 public:
  ClassifierHead(const HeadNames& names, const HeadOptions& options, RandomStream& random);
  at::Tensor forward(const at::Tensor& x, const SampleRows& rows, Forward& forward);  // (n, H) -> (n, K)

 private:
  std::string activation_;
  Linear *dense_ = nullptr, *out_ = nullptr;
  LayerNorm* norm_ = nullptr;
  Dropout *dropout_before_ = nullptr, *dropout_after_ = nullptr;
};

// Its output layer is not computed here: a loss takes hidden rows and weight, and needs no (n, V) tensor.
class LanguageHead : public Module {
 public:
  LanguageHead(const HeadNames& names, const HeadOptions& options, RandomStream& random);

  // (n, H) -> the output layer as data. Node "head" is the hidden rows; the output's multiply-accumulates
  // count there. `embedding` (V, H) is the weight when the options say tied.
  LmHead forward(const at::Tensor& x, const at::Tensor& embedding, Forward& forward);

 private:
  std::string activation_;
  Linear* dense_ = nullptr;
  LayerNorm* norm_ = nullptr;
  at::Tensor *weight_ = nullptr, *bias_ = nullptr;
};

}  // namespace mgd
