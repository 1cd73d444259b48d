#include "mgd/model/text_head.h"

#include <ATen/ops/zeros.h>

#include "mgd/nn/init.h"

namespace mgd {

ClassifierHead::ClassifierHead(const HeadNames& names, const HeadOptions& options, RandomStream& random)
    : activation_(options.activation) {
  const std::int64_t H = options.hidden;
  if (options.dropout_before > 0)
    dropout_before_ = &make_child<Dropout>("head.dropout_before", options.dropout_before);
  if (names.dense != nullptr)
    dense_ = &make_child<Linear>(
        names.dense,
        LinearOptions{.in = H, .out = H, .bias = options.dense_bias, .deviation = options.deviation}, random);
  if (names.norm != nullptr)
    norm_ = &make_child<LayerNorm>(names.norm, H, options.norm_eps, options.norm_bias);
  if (options.dropout_after > 0) dropout_after_ = &make_child<Dropout>("head.dropout", options.dropout_after);
  out_ = &make_child<Linear>(
      names.out,
      LinearOptions{
          .in = H, .out = options.outputs, .bias = options.out_bias, .deviation = options.out_deviation},
      random);
}

at::Tensor ClassifierHead::forward(const at::Tensor& x, const SampleRows& rows, Forward& forward) {
  at::Tensor y = x;
  if (dropout_before_ != nullptr) y = dropout_before_->forward(y, rows, forward);
  if (dense_ != nullptr) y = activate(dense_->forward(y, forward), activation_);
  if (norm_ != nullptr) y = norm_->forward(y, forward);
  if (dropout_after_ != nullptr) y = dropout_after_->forward(y, rows, forward);
  return out_->forward(y, forward);
}

LanguageHead::LanguageHead(const HeadNames& names, const HeadOptions& options, RandomStream& random)
    : activation_(options.activation) {
  const std::int64_t H = options.hidden, V = options.outputs;
  if (names.dense != nullptr)
    dense_ = &make_child<Linear>(
        names.dense,
        LinearOptions{.in = H, .out = H, .bias = options.dense_bias, .deviation = options.deviation}, random);
  if (names.norm != nullptr)
    norm_ = &make_child<LayerNorm>(names.norm, H, options.norm_eps, options.norm_bias);
  if (!options.tied)
    weight_ = &add_parameter(std::string(names.out) + ".weight",
                             drawn_normal({V, H}, random, options.out_deviation), TensorKind::weight);
  // BART's is no parameter there either, and has the shape of a row.
  if (names.bias != nullptr && options.out_bias)
    bias_ = std::string(names.bias) == "final_logits_bias"
                ? &add_buffer(names.bias, at::zeros({1, V}, at::kFloat))
                : &add_parameter(names.bias, at::zeros({V}, at::kFloat), TensorKind::bias);
}

LmHead LanguageHead::forward(const at::Tensor& x, const at::Tensor& embedding, Forward& forward) {
  LmHead head{.hidden = x, .weight = weight_ != nullptr ? *weight_ : embedding};
  if (dense_ != nullptr) head.hidden = activate(dense_->forward(head.hidden, forward), activation_);
  if (norm_ != nullptr) head.hidden = norm_->forward(head.hidden, forward);
  if (bias_ != nullptr) head.bias = bias_->view({-1});
  forward.add_macs(head.hidden.size(0) * head.weight.numel());
  head.hidden = forward.node("head", head.hidden);
  return head;
}

}  // namespace mgd
