#include "loss/fixture.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/max.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "expect_error.h"
#include "mgd/core/philox.h"

namespace mgd::test {

Tensors read_fixture(const std::string& name) {
  std::ifstream file(std::string(MGD_SOURCE_DIR "/tests/loss/fixtures") + "/" + name + ".safetensors",
                     std::ios::binary);
  if (!file) throw std::runtime_error("no fixture " + name);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  const auto header = nlohmann::json::parse(bytes.substr(8, header_bytes));
  const std::map<std::string, at::ScalarType> dtypes = {
      {"F64", at::kDouble}, {"F32", at::kFloat}, {"I64", at::kLong}, {"U8", at::kByte}};
  Tensors tensors;
  for (const auto& [key, info] : header.items()) {
    if (key == "__metadata__") continue;
    at::Tensor tensor = at::empty(info["shape"].get<std::vector<std::int64_t>>(), dtypes.at(info["dtype"]));
    const auto begin = info["data_offsets"][0].get<std::size_t>(),
               end = info["data_offsets"][1].get<std::size_t>();
    if (end - begin != tensor.nbytes()) throw std::runtime_error("bad fixture " + name);
    std::memcpy(tensor.mutable_data_ptr(), bytes.data() + 8 + header_bytes + begin, end - begin);
    tensors[key] = tensor;
  }
  return tensors;
}

Node entry_of(const std::string& name, const std::vector<std::pair<std::string, std::string>>& fields) {
  auto origin = [](int column) {
    Origin place;
    place.source = "test.yaml";
    place.line = 1;
    place.column = column;
    return place;
  };
  Node entry = Node::make_map();
  entry.origin = origin(1);
  auto add = [&](const std::string& key, const std::string& text) {
    Node value = Node::make_scalar(text);
    if (text.starts_with("[")) {  // "[a,b]"
      value = Node{};
      value.kind = Node::Kind::list;
      std::istringstream items(text.substr(1, text.size() - 2));
      for (std::string item; std::getline(items, item, ',');) value.items.push_back(Node::make_scalar(item));
    }
    value.origin = value.key_origin = origin(static_cast<int>(entry.fields.size()) + 1);
    entry.set(key, value);
  };
  add("name", name);
  for (const auto& [key, text] : fields) add(key, text);
  return entry;
}

NodeInfo info_of(std::vector<std::int64_t> sizes) {
  const Axes axes = sizes.size() == 3 ? Axes::map : Axes::vector;
  return {.axes = axes, .sizes = std::move(sizes)};
}

std::map<std::string, Value> Case::nodes(const Tensors& tensors) const {
  std::map<std::string, Value> values;
  for (const auto& [name, data] : tensors) {
    const bool rows = batch.tokens.num_sequences() > 0 && data.dim() == 2;
    values[name] = {.data = data,
                    .axes = data.dim() == 4 ? Axes::map
                            : rows          ? Axes::rows
                                            : Axes::vector,
                    .offsets = rows ? batch.tokens.offsets : std::vector<std::int64_t>{}};
  }
  return values;
}

LossContext context_of(std::vector<std::int64_t> student, std::vector<std::int64_t> teacher,
                       std::uint64_t seed) {
  LossContext context;
  context.student = {{"feat", info_of(std::move(student))}};
  context.teacher = {{"feat", info_of(std::move(teacher))}};
  context.student_default_tap = context.teacher_default_tap = "feat";
  context.num_classes = 10;
  context.seed = seed;
  return context;
}

LossContext context_for(const std::string& name, std::vector<std::int64_t> student,
                        std::vector<std::int64_t> teacher, std::uint64_t seed) {
  LossContext context = context_of(std::move(student), std::move(teacher), seed);
  if (name == "cosine_similarity") context.answers = AnswerKind::embedding;
  return context;
}

std::unique_ptr<Loss> make_loss(const Node& entry, const LossContext& context) {
  auto losses = make_losses(entry, context);
  if (losses.size() != 1) throw std::runtime_error("expected one loss");
  return std::move(losses[0]);
}

std::string message_of(const Node& entry, const LossContext& context) {
  return error_of(ExitCode::usage, [&] { make_losses(entry, context); });
}

void set_blocks(Loss& loss, const Tensors& inputs, at::ScalarType dtype) {
  Module* blocks = loss.trainable();
  if (blocks == nullptr) return;
  blocks->to(dtype);
  for (auto& entry : blocks->parameters()) {
    entry.tensor.set_requires_grad(false);
    entry.tensor.copy_(inputs.at("in/" + entry.name));
    entry.tensor.set_requires_grad(true);
  }
}

double scalar(const at::Tensor& value) {
  return value.item<double>();
}

at::Tensor drawn(std::vector<std::int64_t> shape, std::uint64_t sample, double scale) {
  at::Tensor values = at::empty(shape, at::kDouble);
  RandomStream random(random_key(5, "test"), 0, sample);
  double* data = values.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < values.numel(); ++i) data[i] = scale * random.normal();
  return values;
}

namespace {

double largest(const at::Tensor& values) {
  return scalar(at::max(at::abs(values)));
}

// The worst relative error of naive float code for `what` over all cases of the file. A single case would do
// as a bound only by luck: rounding may well cancel there.
double naive_error(const Tensors& fixture, const std::string& what) {
  const std::string suffix = "/f32/" + what;
  double worst = 0;
  for (const auto& [key, naive] : fixture) {
    if (!key.ends_with(suffix)) continue;
    const at::Tensor exact = fixture.at(key.substr(0, key.size() - suffix.size()) + "/" + what);
    worst = std::max(worst, largest(naive.to(at::kDouble) - exact) / largest(exact));
  }
  return worst;
}

}  // namespace

void expect_tensor(const at::Tensor& got, const Tensors& fixture, const std::string& case_name,
                   const std::string& what, at::ScalarType dtype) {
  const at::Tensor exact = fixture.at(case_name + "/" + what);
  ASSERT_TRUE(got.defined()) << case_name << " " << what;
  ASSERT_EQ(got.scalar_type(), dtype) << case_name << " " << what;
  ASSERT_EQ(got.numel(), exact.numel()) << case_name << " " << what;
  const double error = largest(got.detach().to(at::kDouble).reshape(exact.sizes()) - exact);
  // The absolute part is for gradients that vanish, as that of a bias in front of a softmax.
  const double allowed = dtype == at::kFloat ? (2 * naive_error(fixture, what) + 0x1p-24) * largest(exact)
                                             : 1e-10 * largest(exact) + 1e-13;
  EXPECT_LE(error, allowed) << case_name << " " << what;
}

void expect_case(Loss& loss, Case inputs, const Tensors& fixture, const std::string& case_name,
                 at::ScalarType dtype) {
  SCOPED_TRACE(case_name + (dtype == at::kFloat ? " float" : " double"));
  set_blocks(loss, fixture, dtype);
  at::Tensor student = fixture.at("in/student").to(dtype).clone().set_requires_grad(true);
  const at::Tensor teacher = fixture.at("in/teacher").to(dtype);
  if (loss.student_taps().empty()) {
    inputs.student_logits = student;
    inputs.teacher_logits = teacher;
  } else {
    inputs.student["feat"] = student;
    inputs.teacher["feat"] = teacher;
  }
  inputs.batch.sample_ids.resize(static_cast<std::size_t>(student.size(0)));
  const at::Tensor total = loss.sum(inputs.input());
  total.backward();
  expect_tensor(total, fixture, case_name, "sum", dtype);
  expect_tensor(student.grad(), fixture, case_name, "grad/student", dtype);
  if (loss.trainable() == nullptr) return;
  for (const auto& entry : loss.trainable()->parameters())
    expect_tensor(entry.tensor.grad(), fixture, case_name, "grad/" + entry.name, dtype);
}

}  // namespace mgd::test
