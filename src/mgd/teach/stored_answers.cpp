#include "mgd/teach/stored_answers.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "mgd/core/error.h"

namespace mgd {
namespace {

using json = nlohmann::json;

std::vector<std::string> list_of(const SafetensorsContent& content, const char* key,
                                 const std::string& path) {
  const auto found = content.metadata.find(key);
  if (found == content.metadata.end()) return {};
  const json list = json::parse(found->second, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array() || !std::all_of(list.begin(), list.end(), [](const json& e) { return e.is_string(); }))
    fail(ExitCode::bad_data, "{}: metadata '{}': expected a JSON list of texts", path, key);
  return list.get<std::vector<std::string>>();
}

at::ScalarType type_of(const TensorView& tensor, const std::string& path) {
  if (tensor.dtype == Dtype::f32) return at::kFloat;
  if (tensor.dtype == Dtype::f16) return at::kHalf;
  if (tensor.dtype == Dtype::bf16) return at::kBFloat16;
  fail(ExitCode::bad_data, "{}: tensor '{}' is {}, expected F32, F16 or BF16", path, printable(tensor.name),
       dtype_name(tensor.dtype));
}

at::ScalarType type_of(Dtype dtype) {
  return dtype == Dtype::f32 ? at::kFloat : dtype == Dtype::f16 ? at::kHalf : at::kBFloat16;
}

constexpr const char* kByContent = "sha256:";

}  // namespace

std::string content_name(const std::string& content) {
  return kByContent + sha256_hex(content);
}

bool StoredAnswers::by_content() const {
  return names_.front().starts_with(kByContent);
}

void StoredAnswers::call_too(const std::string& sample, std::int64_t row) {
  rows_[sample] = row;
}

StoredAnswers::StoredAnswers(const std::string& path) : file_(path) {
  std::string start(std::min<std::uint64_t>(8, file_.size()), '\0');
  file_.read_at(0, start.data(), start.size());
  refuse_pickle(start, path);
  header_.resize(safetensors_header_bytes(start, file_.size(), path));
  file_.read_at(0, header_.data(), header_.size());
  const SafetensorsContent content = parse_safetensors_header(header_, file_.size(), path);
  names_ = list_of(content, "names", path);
  classes_ = list_of(content, "classes", path);
  if (names_.empty())
    fail(ExitCode::bad_data,
         "{}: no file of answers: its metadata has no 'names', a JSON list of the samples", path);
  for (std::size_t i = 0; i < names_.size(); ++i)
    if (const auto [known, fresh] = rows_.emplace(names_[i], static_cast<std::int64_t>(i)); !fresh)
      fail(ExitCode::bad_data, "{}: the sample '{}' is there twice, in rows {} and {}", path,
           printable(names_[i]), known->second, i);
  for (const std::string& name : names_)
    if (name.starts_with(kByContent) != by_content())
      fail(ExitCode::bad_data,
           "{}: some samples are called by their content and some by their path, e.g. '{}' and '{}'; "
           "expected one way",
           path, printable(names_.front()), printable(name));
  for (const TensorView& tensor : content.tensors) {
    type_of(tensor, path);
    if (tensor.shape.size() < 2 || tensor.shape[0] != static_cast<std::int64_t>(names_.size()))
      fail(ExitCode::bad_data, "{}: tensor '{}' has the shape ({}), expected a row for each of {} names",
           path, printable(tensor.name), fmt::format("{}", fmt::join(tensor.shape, ", ")), names_.size());
    outputs_.push_back({.name = tensor.name,
                        .dtype = tensor.dtype,
                        .shape = {tensor.shape.begin() + 1, tensor.shape.end()},
                        .offset = tensor.offset,
                        .row_bytes = tensor.num_bytes / names_.size()});
  }
  if (outputs_.empty()) fail(ExitCode::bad_data, "{}: no answers in it, only names", path);
  std::sort(outputs_.begin(), outputs_.end(), [](auto& a, auto& b) { return a.name < b.name; });
  const Output* logits = output("logits");
  if (logits != nullptr && logits->shape.size() != 1)
    fail(ExitCode::bad_data, "{}: 'logits' has {} dimensions, expected (N, K)", path,
         logits->shape.size() + 1);
  if (!classes_.empty() && logits == nullptr)
    fail(ExitCode::bad_data, "{}: {} classes, but there are no 'logits'", path, classes_.size());
  if (const std::set<std::string> names(classes_.begin(), classes_.end()); names.size() < classes_.size())
    fail(ExitCode::bad_data, "{}: two of the {} classes have the same name", path, classes_.size());
  if (!classes_.empty() && logits->shape[0] != static_cast<std::int64_t>(classes_.size()))
    fail(ExitCode::bad_data, "{}: {} classes, but 'logits' has {} columns", path, classes_.size(),
         logits->shape[0]);
}

const StoredAnswers::Output* StoredAnswers::output(const std::string& name) const {
  const auto found = std::find_if(outputs_.begin(), outputs_.end(),
                                  [&](const Output& output) { return output.name == name; });
  return found == outputs_.end() ? nullptr : &*found;
}

std::int64_t StoredAnswers::row_of(const std::string& sample) const {
  const auto found = rows_.find(sample);
  return found == rows_.end() ? -1 : found->second;
}

at::Tensor StoredAnswers::read(const Output& output, std::span<const std::int64_t> rows) const {
  std::vector<std::int64_t> sizes{static_cast<std::int64_t>(rows.size())};
  sizes.insert(sizes.end(), output.shape.begin(), output.shape.end());
  const at::Tensor stored = at::empty(sizes, type_of(output.dtype));
  auto* to = static_cast<char*>(stored.mutable_data_ptr());
  for (const std::int64_t row : rows) {
    file_.read_at(output.offset + static_cast<std::uint64_t>(row) * output.row_bytes, to, output.row_bytes);
    to += output.row_bytes;
  }
  const at::Tensor values = stored.to(at::kFloat);
  if (at::isfinite(values).all().item<bool>()) return values;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!at::isfinite(values[static_cast<std::int64_t>(i)]).all().item<bool>())
      fail(ExitCode::bad_data, "{}: '{}' of the sample '{}' holds NaN or infinity", path(),
           printable(output.name), printable(names_[static_cast<std::size_t>(rows[i])]));
  return values;
}

void StoredAnswers::check_logits() const {
  const Output* logits = output("logits");
  if (logits == nullptr || names_.size() < 2) return;
  constexpr std::size_t kAtOnce = 4096;
  bool all_same = true;
  at::Tensor first;
  for (std::size_t start = 0; start < names_.size(); start += kAtOnce) {
    std::vector<std::int64_t> rows(std::min(kAtOnce, names_.size() - start));
    std::iota(rows.begin(), rows.end(), static_cast<std::int64_t>(start));
    const at::Tensor values = read(*logits, rows);
    if (!first.defined()) first = values.narrow(0, 0, 1).clone();
    all_same = all_same && values.eq(first).all().item<bool>();
  }
  if (all_same)
    fail(ExitCode::bad_data,
         "{}: 'logits' are the same for all {} samples, so nothing can be learned from them", path(),
         names_.size());
}

std::string StoredAnswers::fingerprint() const {
  constexpr std::size_t kStart = 64;
  std::string text = header_;
  for (const Output& output : outputs_)
    for (std::size_t row = 0; row < names_.size(); ++row) {
      const std::size_t bytes = std::min<std::uint64_t>(kStart, output.row_bytes), at = text.size();
      text.resize(at + bytes);
      file_.read_at(output.offset + row * output.row_bytes, text.data() + at, bytes);
    }
  return sha256_hex(text);
}

void write_answers(const std::string& path, const TensorMap& outputs, const std::vector<std::string>& names,
                   const std::vector<std::string>& classes) {
  std::map<std::string, std::string> metadata{{"names", json(names).dump()}};
  if (!classes.empty()) metadata["classes"] = json(classes).dump();
  write_file_atomic(path, tensors_to_safetensors(outputs, metadata));
}

}  // namespace mgd
