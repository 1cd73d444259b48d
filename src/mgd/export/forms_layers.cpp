// Convolutions, pools, norms and products.
#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/export/form.h"

namespace mgd {

namespace {

Ints pair_of(const Ints& numbers) {
  return numbers.size() == 1 ? Ints{numbers[0], numbers[0]} : numbers;
}

// ONNX names the borders one after the other: above, left, below, right.
Ints borders(const Ints& padding) {
  const Ints p = pair_of(padding);
  return {p[0], p[1], p[0], p[1]};
}

void no_more(FormContext& c, bool fine, const char* what) {
  if (!fine) fail(ExitCode::usage, "export: {} with {} has no form in ONNX here", c.name(), what);
}

void convolution(FormContext& c) {
  no_more(c, c.rank("input") == 4 && !c.flag("transposed"), "other than plain maps");
  std::vector<std::string> inputs{c.value("input"), c.value("weight")};
  if (c.given("bias")) inputs.push_back(c.value("bias"));
  const Ints weight = c.sizes("weight");
  c.result(c.emit("Conv", inputs,
                  {{"kernel_shape", Ints{weight[2], weight[3]}},
                   {"strides", pair_of(c.integers("stride"))},
                   {"pads", borders(c.integers("padding"))},
                   {"dilations", pair_of(c.integers("dilation"))},
                   {"group", c.integer("groups")}}));
}

void batch_norm(FormContext& c) {
  no_more(c, !c.flag("training") && c.given("weight") && c.given("bias"), "statistics of the batch");
  c.result(c.emit(
      "BatchNormalization",
      {c.value("input"), c.value("weight"), c.value("bias"), c.value("running_mean"), c.value("running_var")},
      {{"epsilon", static_cast<float>(c.number("eps"))}}));
}

void layer_norm(FormContext& c) {
  const auto axes = static_cast<std::int64_t>(c.integers("normalized_shape").size());
  no_more(c, c.given("weight"), "no weight");
  std::vector<std::string> inputs{c.value("input"), c.value("weight")};
  if (c.given("bias")) inputs.push_back(c.value("bias"));
  c.result(c.emit("LayerNormalization", inputs,
                  {{"axis", -axes}, {"epsilon", static_cast<float>(c.number("eps"))}}));
}

void linear(FormContext& c) {
  std::string x = c.value("input"), weight = c.value("weight"), bias = c.value("bias");
  if (c.rank("input") == 2) {
    std::vector<std::string> inputs{x, weight};
    if (!bias.empty()) inputs.push_back(bias);
    c.result(c.emit("Gemm", inputs, {{"transB", std::int64_t{1}}}));
    return;
  }
  const std::string turned = c.emit("Transpose", {weight}, {{"perm", Ints{1, 0}}});
  std::string y = c.emit("MatMul", {x, turned});
  if (!bias.empty()) y = c.emit("Add", {y, bias});
  c.result(y);
}

void matmul(FormContext& c) {
  const char* other = c.given("other") ? "other" : "mat2";
  c.result(c.emit("MatMul", {c.value("self"), c.value(other)}));
}

void addmm(FormContext& c) {
  c.result(c.emit("Gemm", {c.value("mat1"), c.value("mat2"), c.value("self")},
                  {{"alpha", static_cast<float>(c.number("alpha", 1))},
                   {"beta", static_cast<float>(c.number("beta", 1))}}));
}

Attributes window(FormContext& c) {
  const Ints kernel = pair_of(c.integers("kernel_size"));
  const Ints stride = c.integers("stride");
  return {{"kernel_shape", kernel},
          {"strides", stride.empty() ? kernel : pair_of(stride)},
          {"pads", borders(c.integers("padding"))},
          {"ceil_mode", std::int64_t{c.flag("ceil_mode")}}};
}

void max_pool(FormContext& c) {
  Attributes attributes = window(c);
  attributes["dilations"] = pair_of(c.integers("dilation"));
  c.result(c.emit("MaxPool", {c.value("self")}, attributes));
}

// In ceil mode LibTorch counts the padding, but never what lies beyond it; runtimes differ there, so the
// window's overhang is refused where it would be counted.
void avg_pool(FormContext& c) {
  Attributes attributes = window(c);
  no_more(c, !c.given("divisor_override"), "divisor_override");
  const bool counts = c.flag("count_include_pad");
  const bool padded = std::any_of(std::get<Ints>(attributes["pads"]).begin(),
                                  std::get<Ints>(attributes["pads"]).end(), [](auto p) { return p != 0; });
  no_more(c, !(counts && padded && c.flag("ceil_mode")), "counted padding and ceil_mode");
  attributes["count_include_pad"] = std::int64_t{counts && padded};
  c.result(c.emit("AveragePool", {c.value("self")}, attributes));
}

// Equal windows only: an output of 1, of the input's size, or of a divisor of it.
void adaptive_pool(FormContext& c, const char* global, const char* local) {
  const Ints wanted = pair_of(c.integers("output_size"));
  if (wanted == Ints{1, 1}) return c.result(c.emit(global, {c.value("self")}));
  Ints kernel;
  for (std::size_t pass = 0; pass < c.passes(); ++pass) {
    const Ints in = c.sizes("self", pass);
    const Ints now{in[2] / wanted[0], in[3] / wanted[1]};
    if (now[0] * wanted[0] != in[2] || now[1] * wanted[1] != in[3]) {
      if (pass > 0) throw Varies("the windows of a pool");
      fail(ExitCode::usage,
           "export: {} from {} x {} to {} x {} has windows of several sizes, which ONNX has not; use a size "
           "that "
           "is a multiple",
           c.name(), in[2], in[3], wanted[0], wanted[1]);
    }
    if (pass > 0 && now != kernel) throw Varies("the windows of a pool");
    kernel = now;
  }
  if (kernel == Ints{1, 1}) return c.result(c.value("self"));
  c.result(c.emit(local, {c.value("self")}, {{"kernel_shape", kernel}, {"strides", kernel}}));
}

void adaptive_avg_pool(FormContext& c) {
  adaptive_pool(c, "GlobalAveragePool", "AveragePool");
}

void adaptive_max_pool(FormContext& c) {
  adaptive_pool(c, "GlobalMaxPool", "MaxPool");
}

constexpr Form kForms[] = {{"aten::conv2d", convolution},
                           {"aten::convolution", convolution},
                           {"aten::_convolution", convolution},
                           {"aten::batch_norm", batch_norm},
                           {"aten::layer_norm", layer_norm},
                           {"aten::native_layer_norm", layer_norm},
                           {"aten::linear", linear},
                           {"aten::addmm", addmm},
                           {"aten::matmul", matmul},
                           {"aten::mm", matmul},
                           {"aten::bmm", matmul},
                           {"aten::max_pool2d", max_pool},
                           {"aten::avg_pool2d", avg_pool},
                           {"aten::adaptive_avg_pool2d", adaptive_avg_pool},
                           {"aten::_adaptive_avg_pool2d", adaptive_avg_pool},
                           {"aten::adaptive_max_pool2d", adaptive_max_pool}};

}  // namespace

std::span<const Form> layer_forms() {
  return kForms;
}

}  // namespace mgd
