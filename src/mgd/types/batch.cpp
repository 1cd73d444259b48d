#include "mgd/types/batch.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <numeric>

#include "mgd/core/error.h"

namespace mgd {

namespace {

template <class Visit>
void for_each_tensor(Batch& batch, const Visit& visit) {
  for (PackedTokens* tokens : {&batch.tokens, &batch.decoder_tokens})
    for (at::Tensor* t : {&tokens->ids, &tokens->positions, &tokens->type_ids}) visit(*t);
  for (at::Tensor* t :
       {&batch.input, &batch.teacher_input, &batch.target_rows, &batch.target, &batch.target_probs})
    visit(*t);
}

at::Tensor indices(const std::vector<std::int64_t>& values, const at::Tensor& like) {
  return at::tensor(values, at::TensorOptions().dtype(at::kLong)).to(like.device());
}

// Rows of a tensor (n, ...) in the order of memory that it has; undefined stays so.
at::Tensor picked(const at::Tensor& from, const std::vector<std::int64_t>& rows) {
  if (!from.defined()) return from;
  return from.index_select(0, indices(rows, from)).contiguous(from.suggest_memory_format());
}

at::Tensor joined(const std::vector<at::Tensor>& parts) {
  const at::Tensor& first = parts.front();
  if (parts.size() == 1 || !first.defined()) return first;
  return at::cat(parts).contiguous(first.suggest_memory_format());
}

template <class Part, class Of>
at::Tensor joined(std::span<const Part> parts, const Of& of) {
  std::vector<at::Tensor> tensors;
  for (const Part& part : parts) tensors.push_back(of(part));
  return joined(tensors);
}

struct PickedTokens {
  PackedTokens tokens;
  std::vector<std::int64_t> sequences, rows;  // where they stood
};

PickedTokens pick_tokens(const PackedTokens& from, const std::vector<std::int64_t>& of_samples,
                         std::span<const std::int64_t> places) {
  PickedTokens picked_tokens;
  if (from.num_sequences() == 0) return picked_tokens;
  picked_tokens.tokens.offsets.push_back(0);
  for (const std::int64_t place : places)
    for (std::int64_t s = of_samples.at(static_cast<std::size_t>(place));
         s < of_samples.at(static_cast<std::size_t>(place) + 1); ++s) {
      const auto at = static_cast<std::size_t>(s);
      picked_tokens.sequences.push_back(s);
      for (std::int64_t row = from.offsets[at]; row < from.offsets[at + 1]; ++row)
        picked_tokens.rows.push_back(row);
      picked_tokens.tokens.offsets.push_back(static_cast<std::int64_t>(picked_tokens.rows.size()));
    }
  picked_tokens.tokens.ids = picked(from.ids, picked_tokens.rows);
  picked_tokens.tokens.positions = picked(from.positions, picked_tokens.rows);
  picked_tokens.tokens.type_ids = picked(from.type_ids, picked_tokens.rows);
  return picked_tokens;
}

// Where the targets of language models stand that lie in `rows`, and which of these they are of.
struct PickedTargets {
  std::vector<std::int64_t> places, rows;
};

PickedTargets pick_targets(const at::Tensor& target_rows, const std::vector<std::int64_t>& rows) {
  PickedTargets targets;
  const at::Tensor plain = target_rows.to(at::kCPU).contiguous();
  const auto* row = plain.const_data_ptr<std::int64_t>();
  std::map<std::int64_t, std::int64_t> place_of;
  for (std::int64_t i = 0; i < plain.numel(); ++i) place_of[row[i]] = i;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (const auto found = place_of.find(rows[i]); found != place_of.end()) {
      targets.places.push_back(found->second);
      targets.rows.push_back(static_cast<std::int64_t>(i));
    }
  return targets;
}

PackedTokens join_tokens(std::span<const Batch> parts, PackedTokens Batch::*which) {
  const auto with = [&](at::Tensor PackedTokens::*what) {
    return joined(parts, [&](const Batch& part) { return part.*which.*what; });
  };
  PackedTokens all{.ids = with(&PackedTokens::ids),
                   .positions = with(&PackedTokens::positions),
                   .type_ids = with(&PackedTokens::type_ids),
                   .offsets = {}};
  for (const Batch& part : parts) {
    const PackedTokens& tokens = part.*which;
    const std::int64_t before = all.num_tokens();
    for (std::size_t s = all.offsets.empty() ? 0 : 1; s < tokens.offsets.size(); ++s)
      all.offsets.push_back(before + tokens.offsets[s]);
  }
  return all;
}

// Undefined where every row has a target.
at::Tensor join_target_rows(std::span<const Batch> parts) {
  std::int64_t rows = 0, targets = 0;
  std::vector<at::Tensor> all;
  for (const Batch& part : parts) {
    const std::int64_t count =
        (part.decoder_tokens.num_sequences() > 0 ? part.decoder_tokens : part.tokens).num_tokens();
    const at::Tensor own =
        part.target_rows.defined() ? part.target_rows : at::arange(count, part.target.options());
    all.push_back(own + rows);
    rows += count;
    targets += own.numel();
  }
  return targets == rows ? at::Tensor() : joined(all);
}

Value join_values(const std::vector<const Value*>& parts) {
  Value all{.data = {}, .axes = parts.front()->axes};
  std::vector<at::Tensor> data;
  for (const Value* part : parts) {
    data.push_back(part->data);
    const std::int64_t before = all.offsets.empty() ? 0 : all.offsets.back();
    for (std::size_t s = all.offsets.empty() ? 0 : 1; s < part->offsets.size(); ++s)
      all.offsets.push_back(before + part->offsets[s]);
  }
  all.data = parts.size() == 1 || !data.front().defined() ? data.front() : at::cat(data);
  return all;
}

}  // namespace

std::vector<std::int64_t> sequence_keys(const Batch& batch, std::int64_t num_sequences) {
  if (!batch.sequence_ids.empty()) return batch.sequence_ids;
  if (batch.size() == num_sequences) return batch.sample_ids;
  std::vector<std::int64_t> places(static_cast<std::size_t>(num_sequences));
  std::iota(places.begin(), places.end(), std::int64_t{0});
  return places;
}

std::vector<std::int64_t> sequence_offsets(const Batch& batch) {
  std::vector<std::int64_t> offsets;
  const auto size = static_cast<std::size_t>(batch.size());
  if (batch.sequence_ids.empty()) {
    offsets.resize(size + 1);
    std::iota(offsets.begin(), offsets.end(), std::int64_t{0});
    return offsets;
  }
  for (std::size_t s = 0; s < batch.sequence_ids.size(); ++s)
    if (batch.sequence_ids[s] >> kSequenceShift == 0) offsets.push_back(static_cast<std::int64_t>(s));
  offsets.push_back(static_cast<std::int64_t>(batch.sequence_ids.size()));
  MGD_ASSERT(offsets.size() == size + 1);
  return offsets;
}

Batch batch_to(const Batch& batch, at::Device device) {
  Batch moved = batch;
  for_each_tensor(moved, [&](at::Tensor& t) {
    if (t.defined()) t = t.to(device, /*non_blocking=*/true);
  });
  return moved;
}

Batch select_samples(const Batch& batch, std::span<const std::int64_t> places) {
  const std::vector<std::int64_t> samples(places.begin(), places.end());
  const std::vector<std::int64_t> sequences = sequence_offsets(batch);
  const PickedTokens tokens = pick_tokens(batch.tokens, sequences, places);
  const PickedTokens decoder = pick_tokens(batch.decoder_tokens, sequences, places);
  Batch part;
  part.view = batch.view;
  part.names = batch.names;
  part.input = picked(batch.input, samples);
  part.teacher_input = picked(batch.teacher_input, samples);
  part.tokens = tokens.tokens;
  part.decoder_tokens = decoder.tokens;
  for (const std::int64_t place : places)
    part.sample_ids.push_back(batch.sample_ids.at(static_cast<std::size_t>(place)));
  if (!batch.sequence_ids.empty())
    for (const std::int64_t s : tokens.sequences)
      part.sequence_ids.push_back(batch.sequence_ids.at(static_cast<std::size_t>(s)));
  const bool decodes = batch.decoder_tokens.num_sequences() > 0;
  part.target_type = batch.target_type;
  const std::vector<std::int64_t>& answering = decodes ? decoder.rows : tokens.rows;
  if (batch.target_rows.defined()) {
    const PickedTargets targets = pick_targets(batch.target_rows, answering);
    if (targets.rows.size() < answering.size()) part.target_rows = indices(targets.rows, batch.target_rows);
    part.target = picked(batch.target, targets.places);
  } else {
    part.target = picked(batch.target, batch.target_type == TargetType::tokens ? answering : samples);
  }
  part.target_probs = picked(batch.target_probs, samples);
  return part;
}

Batch join_batches(std::span<const Batch> parts) {
  MGD_ASSERT(!parts.empty());
  if (parts.size() == 1) return parts.front();
  Batch all;
  all.view = parts.front().view;
  all.names = parts.front().names;
  all.input = joined(parts, [](const Batch& part) { return part.input; });
  all.teacher_input = joined(parts, [](const Batch& part) { return part.teacher_input; });
  all.tokens = join_tokens(parts, &Batch::tokens);
  all.decoder_tokens = join_tokens(parts, &Batch::decoder_tokens);
  all.target = joined(parts, [](const Batch& part) { return part.target; });
  all.target_probs = joined(parts, [](const Batch& part) { return part.target_probs; });
  all.target_type = parts.front().target_type;
  for (const Batch& part : parts) {
    all.sample_ids.insert(all.sample_ids.end(), part.sample_ids.begin(), part.sample_ids.end());
    all.sequence_ids.insert(all.sequence_ids.end(), part.sequence_ids.begin(), part.sequence_ids.end());
  }
  if (all.target_type == TargetType::tokens) all.target_rows = join_target_rows(parts);
  return all;
}

Record record_to(Record record, at::Device device) {
  const auto move = [&](at::Tensor& t) {
    if (t.defined()) t = t.to(device);
  };
  move(record.logits), move(record.embedding);
  move(record.head.hidden), move(record.head.weight), move(record.head.bias), move(record.head.rows);
  move(record.head.logits);
  move(record.top.ids), move(record.top.log_p), move(record.top.log_rest);
  for (auto& [name, node] : record.nodes) move(node.data);
  return record;
}

namespace {

Value select_samples(const Value& value, const std::vector<std::int64_t>& places) {
  if (value.axes != Axes::rows) return {.data = picked(value.data, places), .axes = value.axes};
  Value part{.data = {}, .axes = value.axes, .offsets = {0}};
  std::vector<std::int64_t> rows;
  for (const std::int64_t place : places) {
    const auto at = static_cast<std::size_t>(place);
    for (std::int64_t row = value.offsets.at(at); row < value.offsets.at(at + 1); ++row) rows.push_back(row);
    part.offsets.push_back(static_cast<std::int64_t>(rows.size()));
  }
  part.data = picked(value.data, rows);
  return part;
}

}  // namespace

Record select_samples(const Record& record, std::span<const std::int64_t> places) {
  const std::vector<std::int64_t> samples(places.begin(), places.end());
  Record part;
  part.logits = picked(record.logits, samples);
  part.embedding = picked(record.embedding, samples);
  for (const auto& [name, node] : record.nodes) part.nodes[name] = select_samples(node, samples);
  return part;
}

Record join_records(std::span<const Record* const> parts) {
  MGD_ASSERT(!parts.empty());
  Record all;
  all.logits = joined(parts, [](const Record* part) { return part->logits; });
  all.embedding = joined(parts, [](const Record* part) { return part->embedding; });
  for (const auto& [name, node] : parts.front()->nodes) {
    std::vector<const Value*> values;
    for (const Record* part : parts) values.push_back(&part->nodes.at(name));
    all.nodes[name] = join_values(values);
  }
  return all;
}

}  // namespace mgd
