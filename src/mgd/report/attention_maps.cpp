#include "mgd/report/attention_maps.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace mgd {

namespace {

std::vector<std::int64_t> first_ids(const PackedTokens& tokens, std::int64_t count) {
  const at::Tensor ids = tokens.ids.narrow(0, 0, std::min(count, tokens.offsets.at(1))).cpu().contiguous();
  const auto* data = ids.const_data_ptr<std::int64_t>();
  return {data, data + ids.numel()};
}

// A place to which no head gives anything is one that the mask hides: a softmax in floats reaches 0 only
// there.
ReportMap head_map(const at::Tensor& map, const at::Tensor& seen, std::int64_t head) {  // (T, S) each
  const at::Tensor plain =
      map.masked_fill(seen.logical_not(), std::numeric_limits<float>::quiet_NaN()).contiguous();
  const float* data = plain.const_data_ptr<float>();
  return {.title = fmt::format("head {}", head + 1),
          .height = plain.size(0),
          .width = plain.size(1),
          .values = std::vector<float>(data, data + plain.numel())};
}

ReportAttention layer_maps(const std::string& name, const at::Tensor& probs,  // (H, T, S)
                           const std::vector<std::string>& rows, const std::vector<std::string>& columns) {
  const at::Tensor shown = probs.narrow(1, 0, static_cast<std::int64_t>(rows.size()))
                               .narrow(2, 0, static_cast<std::int64_t>(columns.size()))
                               .to(at::kCPU, at::kFloat);
  const at::Tensor seen = shown.gt(0).any(0);
  ReportAttention layer{.title = name, .note = "", .rows = rows, .columns = columns, .maps = {}};
  for (std::int64_t h = 0; h < shown.size(0); ++h) layer.maps.push_back(head_map(shown[h], seen, h));
  return layer;
}

}  // namespace

std::vector<std::string> token_labels(const Tokenizer& tokenizer, const std::vector<std::int64_t>& ids) {
  std::vector<std::string> labels;
  for (const std::int64_t id : ids) {
    std::string label = tokenizer.decode({&id, 1}, /*skip_special=*/false);
    while (label.size() > 1 && label.front() == ' ') label.erase(0, 1);
    std::string shown;
    for (const char c : label) shown += c == '\n' ? "\u21B5" : std::string(1, c);
    label = shown;
    labels.push_back(label);
  }
  return labels;
}

ReportAttention drawn_mask(const std::string& title, const std::string& note,
                           const std::vector<std::string>& tokens, const AttentionMask& mask) {
  const auto n = static_cast<std::int64_t>(tokens.size());
  const at::Tensor keep = keep_matrix(mask, 1, n, n)[0];
  const at::Tensor ones = keep.to(at::kFloat);
  ReportAttention drawing{.title = title, .note = note, .rows = tokens, .columns = tokens, .maps = {}};
  drawing.maps.push_back(head_map(ones, keep, 0));
  drawing.maps.back().title.clear();
  return drawing;
}

std::vector<ReportAttention> attention_of(Model& model, const Tokenizer& tokenizer, const Batch& batch,
                                          std::int64_t max_tokens) {
  std::vector<std::pair<std::string, at::Tensor>> maps;
  Forward forward;
  forward.observe([&](const std::string& name, const at::Tensor& activation) {
    if (name.ends_with(".probs")) maps.emplace_back(name, activation[0]);
  });
  const at::NoGradGuard no_grad;
  model.run(batch, forward);
  const auto source = token_labels(tokenizer, first_ids(batch.tokens, max_tokens));
  const auto target = batch.decoder_tokens.offsets.empty()
                          ? source
                          : token_labels(tokenizer, first_ids(batch.decoder_tokens, max_tokens));
  std::vector<ReportAttention> layers;
  for (const auto& [name, probs] : maps) {
    const bool decodes = name.find("decoder.") != std::string::npos,
               crosses = name.find("encoder_attn") != std::string::npos;
    layers.push_back(
        layer_maps(name, probs, decodes ? target : source, decodes && !crosses ? target : source));
  }
  return layers;
}

}  // namespace mgd
