#include "mgd/teach/target_layout.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <fmt/ranges.h>

#include <cstring>
#include <functional>
#include <numeric>

#include "mgd/core/error.h"
#include "mgd/ops/divergence.h"

namespace mgd {

namespace {

// As the models have them, so that a sample is one stretch of memory in the order in which it is used.
at::MemoryFormat layout_of(std::size_t dimensions) {
  return dimensions == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

at::Tensor rows_of(std::int64_t count, const std::vector<std::int64_t>& shape,
                   at::ScalarType type = at::kFloat) {
  std::vector<std::int64_t> sizes{count};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  return at::empty(sizes, at::TensorOptions().dtype(type), layout_of(sizes.size()));
}

at::Tensor normal(const at::Tensor& tensor, at::ScalarType type = at::kFloat) {
  return tensor.detach().to(at::kCPU, type).contiguous(layout_of(static_cast<std::size_t>(tensor.dim())));
}

// Entries of a vocabulary take two bytes where that is enough.
constexpr std::int64_t kShortVocabulary = 1 << 16;

}  // namespace

TargetLayout::TargetLayout(const KeptAnswers& kept, const TeacherCacheConfig& config)
    : kept_(kept), top_k_(config.top_k), code_(float_code_of(config.features)) {
  if (kept.vocabulary > 0 && (top_k_ < 1 || top_k_ > kept.vocabulary))
    fail(ExitCode::usage,
         "train.teacher_cache.top_k: got {}, expected 1 ... {}: of a language model's scores at each target "
         "the "
         "largest are kept, and what the others have together; 16 takes 100 bytes a target",
         top_k_, kept.vocabulary);
  if (kept.num_classes > 0 && top_k_ >= kept.num_classes)
    fail(ExitCode::usage,
         "train.teacher_cache.top_k: got {}, expected less than the {} classes, or 0 to keep all logits",
         top_k_, kept.num_classes);
  for (const auto& [name, info] : kept.taps) {
    const auto floats = static_cast<std::size_t>(
        std::accumulate(info.sizes.begin(), info.sizes.end(), std::int64_t{1}, std::multiplies<>()));
    taps_.push_back({name, info, per_of(info), floats});
  }
}

TargetLayout::Per TargetLayout::per_of(const NodeInfo& info) {
  if (info.axes == Axes::rows) return info.of_decoder ? Per::decoder_row : Per::row;
  return info.of_sequence ? Per::sequence : Per::sample;
}

std::int64_t TargetLayout::count_of(const SampleShape& shape, Per per) {
  switch (per) {
    case Per::sample:
      return 1;
    case Per::sequence:
      return shape.sequences;
    case Per::row:
      return shape.rows;
    case Per::decoder_row:
      return shape.decoder_rows;
    case Per::target:
      return shape.targets;
  }
  return 0;
}

const std::vector<std::int64_t>& TargetLayout::places_of(const SamplePlaces& places, Per per) {
  switch (per) {
    case Per::sequence:
      return places.sequences;
    case Per::row:
      return places.rows;
    case Per::decoder_row:
      return places.decoder_rows;
    case Per::target:
      return places.targets;
    case Per::sample:
      break;
  }
  return places.samples;
}

bool TargetLayout::ragged() const {
  bool found = kept_.embedding_size > 0 || kept_.vocabulary > 0;
  for (const Field& tap : taps_) found = found || tap.per != Per::sample;
  return found;
}

std::size_t TargetLayout::score_bytes() const {
  const std::size_t id = kept_.vocabulary <= kShortVocabulary ? sizeof(std::uint16_t) : sizeof(std::uint32_t);
  return static_cast<std::size_t>(top_k_) * (id + sizeof(float)) + sizeof(float);
}

template <class Visit>
void TargetLayout::for_each_matrix(const Visit& visit) const {
  if (kept_.embedding_size > 0)
    visit(
        Per::sequence, static_cast<std::size_t>(kept_.embedding_size),
        [](auto& record) -> auto& { return record.embedding; });
  for (const Field& tap : taps_)
    visit(
        tap.per, tap.floats, [&](auto& record) -> auto& { return record.nodes.at(tap.name).data; });
}

std::int64_t TargetLayout::record_bytes(const SampleShape& shape) const {
  const auto classes = static_cast<std::size_t>(kept_.num_classes);
  std::size_t bytes = 0;
  if (classes > 0)
    bytes +=
        top_k_ > 0 ? top_k_bytes(static_cast<std::size_t>(top_k_)) : coded_bytes(FloatCode::fp32, classes);
  for_each_matrix([&](Per per, std::size_t floats, const auto&) {
    bytes += coded_bytes(code_, static_cast<std::size_t>(count_of(shape, per)) * floats);
  });
  if (kept_.vocabulary > 0) bytes += static_cast<std::size_t>(shape.targets) * score_bytes();
  return static_cast<std::int64_t>(bytes);
}

std::string TargetLayout::describe() const {
  std::vector<std::string> parts;
  if (kept_.num_classes > 0) parts.push_back(fmt::format("logits {}", kept_.num_classes));
  if (kept_.embedding_size > 0) parts.push_back(fmt::format("embedding {}", kept_.embedding_size));
  if (kept_.vocabulary > 0)
    parts.push_back(
        fmt::format("top {} of {} scores at temperature {:g}", top_k_, kept_.vocabulary, kept_.temperature));
  for (const Field& tap : taps_)
    parts.push_back(fmt::format("{} {}", tap.name, fmt::join(tap.info.sizes, " x ")));
  return fmt::format("{}", fmt::join(parts, ", "));
}

bool TargetLayout::exact() const {
  return top_k_ == 0 && (code_ == FloatCode::fp32 || (taps_.empty() && kept_.embedding_size == 0));
}

Record TargetLayout::empty_output(const Batch& batch, const SamplePlaces& places) const {
  Record output;
  if (kept_.num_classes > 0) output.logits = rows_of(places.samples.back(), {kept_.num_classes});
  if (kept_.embedding_size > 0) output.embedding = rows_of(places.sequences.back(), {kept_.embedding_size});
  if (kept_.vocabulary > 0)
    output.top = {.ids = rows_of(places.targets.back(), {top_k_}, at::kLong),
                  .log_p = rows_of(places.targets.back(), {top_k_}),
                  .log_rest = rows_of(places.targets.back(), {}),
                  .temperature = kept_.temperature};
  for (const Field& tap : taps_)
    output.nodes[tap.name] = {.data = rows_of(places_of(places, tap.per).back(), tap.info.sizes),
                              .axes = tap.info.axes,
                              .offsets = tap.info.axes == Axes::rows ? tokens_of(tap.info, batch).offsets
                                                                     : std::vector<std::int64_t>{}};
  return output;
}

Record TargetLayout::normalised(const Record& output) const {
  Record result;
  if (kept_.num_classes > 0) result.logits = normal(output.logits);
  if (kept_.embedding_size > 0) result.embedding = normal(output.embedding);
  if (kept_.vocabulary > 0) {
    const TopScores top = top_scores(output.head, top_k_, kept_.temperature);
    result.top = {.ids = normal(top.ids, at::kLong),
                  .log_p = normal(top.log_p),
                  .log_rest = normal(top.log_rest),
                  .temperature = kept_.temperature};
  }
  for (const Field& tap : taps_) {
    const Value& value = output.nodes.at(tap.name);
    result.nodes[tap.name] = {.data = normal(value.data), .axes = tap.info.axes, .offsets = value.offsets};
  }
  return result;
}

namespace {

// A cursor over the bytes of a record, which are in no order of memory that numbers would need.
template <class Byte>
struct Cursor {
  Byte* at;
  Byte* take(std::size_t bytes) {
    Byte* begin = at;
    at += bytes;
    return begin;
  }
};

template <class Number>
void put(Cursor<std::byte>& to, Number value) {
  std::memcpy(to.take(sizeof value), &value, sizeof value);
}

template <class Number>
Number get(Cursor<const std::byte>& from) {
  Number value;
  std::memcpy(&value, from.take(sizeof value), sizeof value);
  return value;
}

}  // namespace

void TargetLayout::encode(const Record& record, const SamplePlaces& places, std::int64_t sample,
                          std::byte* bytes) const {
  Cursor<std::byte> to{bytes};
  const auto i = static_cast<std::size_t>(sample);
  if (const auto classes = static_cast<std::size_t>(kept_.num_classes); classes > 0) {
    const float* logits = record.logits.const_data_ptr<float>() + sample * kept_.num_classes;
    const auto k = static_cast<std::size_t>(top_k_);
    if (k > 0)
      encode_top_k(logits, classes, k, to.take(top_k_bytes(k)));
    else
      encode_floats(FloatCode::fp32, logits, classes, to.take(coded_bytes(FloatCode::fp32, classes)));
  }
  for_each_matrix([&](Per per, std::size_t floats, const auto& tensor_of) {
    const auto& at = places_of(places, per);
    const std::size_t count = static_cast<std::size_t>(at[i + 1] - at[i]) * floats;
    const float* values =
        tensor_of(record).template const_data_ptr<float>() + static_cast<std::size_t>(at[i]) * floats;
    encode_floats(code_, values, count, to.take(coded_bytes(code_, count)));
  });
  if (kept_.vocabulary == 0) return;
  for (std::int64_t target = places.targets[i]; target < places.targets[i + 1]; ++target) {
    const auto* ids = record.top.ids.const_data_ptr<std::int64_t>() + target * top_k_;
    const auto* log_p = record.top.log_p.const_data_ptr<float>() + target * top_k_;
    for (std::int64_t j = 0; j < top_k_; ++j) {
      if (kept_.vocabulary <= kShortVocabulary)
        put(to, static_cast<std::uint16_t>(ids[j]));
      else
        put(to, static_cast<std::uint32_t>(ids[j]));
      put(to, log_p[j]);
    }
    put(to, record.top.log_rest.const_data_ptr<float>()[target]);
  }
}

void TargetLayout::decode(const std::byte* bytes, const SamplePlaces& places, std::int64_t sample,
                          Record& record) const {
  Cursor<const std::byte> from{bytes};
  const auto i = static_cast<std::size_t>(sample);
  if (const auto classes = static_cast<std::size_t>(kept_.num_classes); classes > 0) {
    float* logits = record.logits.mutable_data_ptr<float>() + sample * kept_.num_classes;
    const auto k = static_cast<std::size_t>(top_k_);
    if (k > 0)
      decode_top_k(from.take(top_k_bytes(k)), classes, k, logits);
    else
      decode_floats(FloatCode::fp32, from.take(coded_bytes(FloatCode::fp32, classes)), classes, logits);
  }
  for_each_matrix([&](Per per, std::size_t floats, const auto& tensor_of) {
    const auto& at = places_of(places, per);
    const std::size_t count = static_cast<std::size_t>(at[i + 1] - at[i]) * floats;
    float* values =
        tensor_of(record).template mutable_data_ptr<float>() + static_cast<std::size_t>(at[i]) * floats;
    decode_floats(code_, from.take(coded_bytes(code_, count)), count, values);
  });
  if (kept_.vocabulary == 0) return;
  for (std::int64_t target = places.targets[i]; target < places.targets[i + 1]; ++target) {
    auto* ids = record.top.ids.mutable_data_ptr<std::int64_t>() + target * top_k_;
    auto* log_p = record.top.log_p.mutable_data_ptr<float>() + target * top_k_;
    for (std::int64_t j = 0; j < top_k_; ++j) {
      ids[j] = kept_.vocabulary <= kShortVocabulary ? std::int64_t{get<std::uint16_t>(from)}
                                                    : std::int64_t{get<std::uint32_t>(from)};
      log_p[j] = get<float>(from);
    }
    record.top.log_rest.mutable_data_ptr<float>()[target] = get<float>(from);
  }
}

}  // namespace mgd
