// Number by number, and reductions.
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/export/form.h"

namespace mgd {

namespace {

struct Unary {
  const char *aten, *onnx;
};
constexpr Unary kUnary[] = {{"aten::relu", "Relu"},   {"aten::sigmoid", "Sigmoid"},
                            {"aten::tanh", "Tanh"},   {"aten::erf", "Erf"},
                            {"aten::exp", "Exp"},     {"aten::sqrt", "Sqrt"},
                            {"aten::neg", "Neg"},     {"aten::abs", "Abs"},
                            {"aten::log", "Log"},     {"aten::hardswish", "HardSwish"},
                            {"aten::floor", "Floor"}, {"aten::ceil", "Ceil"}};

std::string plain(const std::string& op) {
  return op.ends_with('_') ? op.substr(0, op.size() - 1) : op;
}

void unary(FormContext& c) {
  for (const Unary& entry : kUnary)
    if (plain(c.name()) == entry.aten) return c.result(c.emit(entry.onnx, {c.value("self")}));
  MGD_ASSERT(false);
}

void silu(FormContext& c) {
  const std::string x = c.value("self");
  c.result(c.emit("Mul", {x, c.emit("Sigmoid", {x})}));
}

void hardsigmoid(FormContext& c) {  // relu6(x + 3) / 6
  c.result(c.emit("HardSigmoid", {c.value("self")}, {{"alpha", 1.0F / 6}, {"beta", 0.5F}}));
}

// Opset 17 has no node for it; this is its definition (Hendrycks and Gimpel 2016), exact or with tanh.
void gelu(FormContext& c) {
  const std::string x = c.value("self"), half = c.emit("Mul", {x, c.scalar(0.5)});
  std::string inner;
  if (c.text("approximate") == "tanh") {
    const std::string cube = c.emit("Mul", {c.emit("Mul", {x, x}), x});
    const std::string sum = c.emit("Add", {x, c.emit("Mul", {cube, c.scalar(0.044715)})});
    inner = c.emit("Tanh", {c.emit("Mul", {sum, c.scalar(std::sqrt(2 / M_PI))})});
  } else {
    inner = c.emit("Erf", {c.emit("Mul", {x, c.scalar(std::sqrt(0.5))})});
  }
  c.result(c.emit("Mul", {half, c.emit("Add", {inner, c.scalar(1)})}));
}

void clip(FormContext& c) {
  const bool hardtanh = c.name().starts_with("aten::hardtanh");
  const char *low = hardtanh ? "min_val" : "min", *high = hardtanh ? "max_val" : "max";
  if (c.name().starts_with("aten::relu6"))
    return c.result(c.emit("Clip", {c.value("self"), c.scalar(0), c.scalar(6)}));
  std::vector<std::string> inputs{c.value("self"), c.value(low)};
  if (c.given(high)) inputs.push_back(c.value(high));
  c.result(c.emit("Clip", inputs));
}

void clamp_min(FormContext& c) {
  c.result(c.emit("Clip", {c.value("self"), c.value("min")}));
}

void binary(FormContext& c, const char* op, bool turned = false) {
  std::string a = c.value("self"), b = c.value("other");
  if (const double alpha = c.number("alpha", 1); alpha != 1) b = c.emit("Mul", {b, c.scalar(alpha)});
  c.result(turned ? c.emit(op, {b, a}) : c.emit(op, {a, b}));
}

void add(FormContext& c) {
  binary(c, "Add");
}
void sub(FormContext& c) {
  binary(c, "Sub");
}
void rsub(FormContext& c) {
  if (c.number("alpha", 1) != 1)
    fail(ExitCode::usage, "export: aten::rsub with alpha has no form in ONNX here");
  binary(c, "Sub", /*turned=*/true);
}
void mul(FormContext& c) {
  binary(c, "Mul");
}
void div(FormContext& c) {
  if (c.given("rounding_mode"))
    fail(ExitCode::usage, "export: aten::div with rounding_mode has no form in ONNX here");
  binary(c, "Div");
}

void power(FormContext& c) {
  c.result(c.emit("Pow", {c.value("self"), c.value("exponent")}));
}

void rsqrt(FormContext& c) {
  c.result(c.emit("Reciprocal", {c.emit("Sqrt", {c.value("self")})}));
}

void softmax(FormContext& c) {
  c.result(c.emit("Softmax", {c.value("self")}, {{"axis", c.axis("dim", "self")}}));
}

void mean(FormContext& c) {
  const Ints axes = c.given("dim") ? c.integers("dim") : Ints{};
  const bool keep = c.flag("keepdim");
  if (c.rank("self") == 4 && (axes == Ints{2, 3} || axes == Ints{-2, -1})) {
    const std::string mean = c.emit("GlobalAveragePool", {c.value("self")});
    return c.result(keep ? mean : c.emit("Flatten", {mean}));
  }
  Attributes attributes{{"keepdims", std::int64_t{keep}}};
  if (!axes.empty()) attributes["axes"] = axes;
  c.result(c.emit("ReduceMean", {c.value("self")}, attributes));
}

void sum(FormContext& c) {
  std::vector<std::string> inputs{c.value("self")};
  if (c.given("dim") && !c.integers("dim").empty()) inputs.push_back(c.constant(c.integers("dim")));
  c.result(c.emit("ReduceSum", inputs, {{"keepdims", std::int64_t{c.flag("keepdim")}}}));
}

constexpr Form kForms[] = {
    {"aten::relu", unary},          {"aten::sigmoid", unary}, {"aten::tanh", unary},
    {"aten::erf", unary},           {"aten::exp", unary},     {"aten::sqrt", unary},
    {"aten::neg", unary},           {"aten::abs", unary},     {"aten::log", unary},
    {"aten::hardswish", unary},     {"aten::floor", unary},   {"aten::ceil", unary},
    {"aten::silu", silu},           {"aten::gelu", gelu},     {"aten::hardsigmoid", hardsigmoid},
    {"aten::hardtanh", clip},       {"aten::clamp", clip},    {"aten::relu6", clip},
    {"aten::clamp_min", clamp_min}, {"aten::add", add},       {"aten::sub", sub},
    {"aten::rsub", rsub},           {"aten::mul", mul},       {"aten::div", div},
    {"aten::pow", power},           {"aten::rsqrt", rsqrt},   {"aten::softmax", softmax},
    {"aten::_softmax", softmax},    {"aten::mean", mean},     {"aten::sum", sum}};

}  // namespace

std::span<const Form> arithmetic_forms() {
  return kForms;
}

}  // namespace mgd
