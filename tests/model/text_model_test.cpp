// What the fixtures of tests/eval do not show: dropout, gradients, the cache's order, sizes and errors.
#include "mgd/model/text_model.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include <cmath>

#include "expect_error.h"
#include "mgd/model/text_pooling.h"

namespace mgd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TextConfig tiny(const std::string& model_type, TextHead head, double dropout = 0) {
  return text_config(
      model_type,
      {.vocab_size = 40, .hidden_size = 16, .layers = 2, .heads = 2, .max_positions = 32, .dropout = dropout},
      head);
}

Batch batch_of(const std::vector<std::vector<std::int64_t>>& sequences) {
  std::vector<std::int64_t> ids, offsets = {0};
  Batch batch;
  for (const auto& sequence : sequences) {
    ids.insert(ids.end(), sequence.begin(), sequence.end());
    offsets.push_back(static_cast<std::int64_t>(ids.size()));
    batch.sample_ids.push_back(10 + static_cast<std::int64_t>(batch.sample_ids.size()));
  }
  batch.tokens = {.ids = at::tensor(ids, at::kLong), .offsets = offsets};
  return batch;
}

TEST(TextModel, KnowsItsSizes) {
  // bert-tiny of Turc et al. 2019.
  TextConfig config = text_config("bert", {.hidden_size = 128, .layers = 2}, TextHead::encoder);
  config.pooler = true;
  EXPECT_EQ(make_text_model(config, 1)->num_parameters(), 4385920);
}

TEST(TextModel, ProjectsTargetRowsOnly) {
  const auto model = make_text_model(tiny("bert", TextHead::masked_lm), 1);
  Batch batch = batch_of({{5, 6, 7}, {8, 9}});
  Forward all, some;
  const LmHead full = model->run(batch, all).head;
  EXPECT_EQ(full.hidden.size(0), 5);
  EXPECT_TRUE(full.weight.is_same(model->parameters().at(0).tensor)) << "tied";
  batch.target_rows = at::tensor({4, 1}, at::kLong);
  const LmHead head = model->run(batch, some).head;
  EXPECT_TRUE(at::allclose(head.hidden, full.hidden.index_select(0, batch.target_rows), 1e-5, 1e-6));
  // The transform (H x H) and the output (V x H) of three rows less.
  EXPECT_EQ(all.macs() - some.macs(), 3 * (16 * 16 + 40 * 16));
}

TEST(TextModel, CountsVisiblePairsOnly) {
  EXPECT_EQ(visible_pairs({{.q_length = 4, .k_length = 4}}, false, -1), 16);
  EXPECT_EQ(visible_pairs({{.q_length = 4, .k_length = 4}}, true, -1), 10);
  EXPECT_EQ(visible_pairs({{.q_length = 1, .k_length = 4}}, true, -1), 4);
  EXPECT_EQ(visible_pairs({{.q_length = 4, .k_length = 4}}, false, 1), 10);
  EXPECT_EQ(visible_pairs({{.q_length = 4, .k_length = 4}, {.q_length = 2, .k_length = 2}}, true, 1), 7 + 3);
  EXPECT_EQ(visible_pairs({}, true, 1), 0);
}

TEST(TextModel, PackingDoesNotMatter) {
  for (const std::string& type : known_text_models()) {
    const auto model = make_text_model(tiny(type, TextHead::sequence_classification), 3);
    const std::vector<std::int64_t> a = {5, 6, 7, 8, 9}, b = {11, 12};
    Forward forward;
    const at::NoGradGuard no_grad;
    const at::Tensor both = model->run(batch_of({a, b}), forward).logits;
    const at::Tensor apart =
        at::cat({model->run(batch_of({a}), forward).logits, model->run(batch_of({b}), forward).logits});
    EXPECT_LE((both - apart).abs().max().item<double>(), 1e-6) << type;
  }
}

TEST(TextModel, EveryParameterLearns) {
  for (const std::string& type : known_text_models()) {
    const TextHead head = type == "gpt2" || type == "bart" ? TextHead::causal_lm : TextHead::masked_lm;
    const auto model = make_text_model(tiny(type, head), 3);
    Batch batch = batch_of({{5, 6, 7, 8, 9}, {11, 12}});
    if (type == "bart") batch.decoder_tokens = batch_of({{2, 5}, {2, 6, 7}}).tokens;
    Forward forward(/*training=*/true);
    const at::Tensor logits = logits_of(model->run(batch, forward).head);
    (logits * at::arange(logits.numel()).view_as(logits)).sum().backward();
    for (const NamedTensor& entry : model->parameters()) {
      ASSERT_TRUE(entry.tensor.grad().defined()) << type << " " << entry.name;
      // A softmax does not see what all its scores have in common.
      if (entry.name.ends_with("key.bias") || entry.name.ends_with("k_lin.bias") ||
          entry.name.ends_with("k_proj.bias"))
        continue;
      EXPECT_GT(entry.tensor.grad().abs().sum().item<double>(), 0) << type << " " << entry.name;
    }
  }
}

TEST(TextModel, DropoutIsAFunctionOfStepAndSample) {
  for (const std::string& type : known_text_models()) {
    const auto model = make_text_model(tiny(type, TextHead::sequence_classification, 0.3), 3);
    const auto logits = [&](Batch batch, std::uint32_t step) {
      Forward forward(/*training=*/true);
      forward.draw_from({.seed = 5, .step = step, .sample_ids = batch.sample_ids});
      return model->run(batch, forward).logits.detach();
    };
    const Batch both = batch_of({{5, 6, 7, 8, 9}, {11, 12}});
    const at::Tensor first = logits(both, 0);
    EXPECT_TRUE(at::equal(first, logits(both, 0))) << type;
    EXPECT_FALSE(at::allclose(first, logits(both, 1))) << type;
    Batch second = batch_of({{11, 12}});
    second.sample_ids = {11};
    EXPECT_TRUE(at::allclose(logits(second, 0)[0], first[1], 1e-4, 1e-5))
        << type << ": alone as in the batch";
    Forward eval;
    const at::Tensor without = model->run(both, eval).logits.detach();
    EXPECT_FALSE(at::allclose(first, without)) << type;
  }
}

// A sample of two sequences, alone and behind another one.
TEST(TextModel, DropoutOfPackedRowsFollowsTheSequencesIds) {
  const auto model = make_text_model(tiny("bert", TextHead::masked_lm, 0.3), 3);
  const auto hidden = [&](const std::vector<std::vector<std::int64_t>>& sequences,
                          const std::vector<std::int64_t>& samples, const std::vector<std::int64_t>& ids) {
    Batch batch = batch_of(sequences);
    batch.sample_ids = samples;
    batch.sequence_ids = ids;
    Forward forward(/*training=*/true);
    forward.draw_from({.seed = 5, .step = 0, .sample_ids = samples});
    return model->run(batch, forward).head.hidden.detach();
  };
  const std::vector<std::int64_t> a = {5, 6, 7}, b = {8, 9}, c = {10, 11, 12, 13};
  const at::Tensor both = hidden({a, b, c}, {0, 1}, {100, 200, 201}),
                   second = hidden({b, c}, {1}, {200, 201});
  EXPECT_TRUE(at::allclose(both.narrow(0, 3, 6), second, 1e-4, 1e-5));
  EXPECT_FALSE(at::allclose(second, hidden({b, c}, {1}, {200, 202}), 1e-4, 1e-5));
  EXPECT_TRUE(at::equal(hidden({a, b, c}, {7}, {}), hidden({a, b, c}, {7}, {})))
      << "without ids: of the batch";
}

TEST(TextModel, MapsAreTakenOnlyOnDemandAndNeverMasked) {
  const auto model = make_text_model(tiny("bert", TextHead::masked_lm), 1);
  const std::string name = "bert.encoder.layer.0.attention.self.probs";
  EXPECT_EQ(model->default_tap(), "bert.encoder.layer.1");
  Forward forward;
  forward.capture(name);
  model->run(batch_of({{5, 6, 7}, {8}}), forward);
  EXPECT_THAT(forward.captured().at(name).sizes().vec(), ElementsAre(2, 2, 3, 3));
  EXPECT_NEAR(forward.captured().at(name).sum().item<double>(), 2 * 4, 1e-5);
  Forward edited;
  edited.edit(name, [](at::Tensor maps) { return maps; });
  EXPECT_THAT(error_of(ExitCode::usage, [&] { model->run(batch_of({{5}}), edited); }), HasSubstr(name));
}

TEST(TextModel, NamesWhatLiesBeyondTheTables) {
  const auto model = make_text_model(tiny("bert", TextHead::masked_lm), 1);
  Forward forward;
  const auto message = [&](const Batch& batch) {
    return error_of(ExitCode::usage, [&] { model->run(batch, forward); });
  };
  EXPECT_THAT(message(batch_of({{5, 40}})), HasSubstr("token id: got 40, expected 0 to 39"));
  EXPECT_THAT(message(batch_of({{-1}})), HasSubstr("got -1"));
  EXPECT_THAT(message(batch_of({std::vector<std::int64_t>(33, 5)})),
              HasSubstr("position: got 32, expected 0 to 31"));
  const auto roberta = make_text_model(tiny("roberta", TextHead::masked_lm), 1);
  EXPECT_THAT(
      error_of(ExitCode::usage, [&] { roberta->run(batch_of({std::vector<std::int64_t>(31, 5)}), forward); }),
      HasSubstr("expected 0 to 29"));
  const auto bart = make_text_model(tiny("bart", TextHead::causal_lm), 1);
  EXPECT_THAT(error_of(ExitCode::usage, [&] { bart->run(batch_of({{5}}), forward); }),
              HasSubstr("no decoder_tokens"));
}

TEST(KvCache, SelectsAndShortens) {
  const auto model = make_text_model(tiny("gpt2", TextHead::causal_lm), 2);
  Forward forward;
  const at::NoGradGuard no_grad;
  const auto whole = [&](const std::vector<std::vector<std::int64_t>>& sequences) {
    Batch batch = batch_of(sequences);
    return logits_of(model->run(batch, forward).head);
  };
  KvCache cache = model->new_cache(3);
  model->decode(batch_of({{5, 6}, {7}, {8, 9, 10}}).tokens, cache, forward);
  EXPECT_THAT(cache.lengths(), ElementsAre(2, 1, 3));
  cache.select({2, 0, 2});
  EXPECT_THAT(cache.lengths(), ElementsAre(3, 2, 3));
  cache.truncate({1, 2, 3});
  // Nothing for one of them; more than the first room for another.
  std::vector<std::int64_t> many(20, 11), third = {8, 9, 10};
  third.insert(third.end(), many.begin(), many.end());
  const at::Tensor hidden = model->decode(batch_of({{12, 13}, {}, many}).tokens, cache, forward);
  EXPECT_THAT(cache.lengths(), ElementsAre(3, 2, 23));
  const at::Tensor got = logits_of(model->lm_head(hidden, forward));
  const at::Tensor expected =
      at::cat({whole({{8, 12, 13}}).narrow(0, 1, 2), whole({third}).narrow(0, 3, 20)});
  EXPECT_LE((got - expected).abs().max().item<double>(), 1e-5);
}

TEST(Weights, OldNamesAndMissingPrefixesFit) {
  const auto model = make_text_model(tiny("bert", TextHead::masked_lm), 1);
  std::map<std::string, at::Tensor> old;
  for (const NamedTensor& entry : model->state()) {
    std::string name = entry.name.starts_with("bert.") ? entry.name.substr(5) : entry.name;
    if (name.ends_with("LayerNorm.weight")) name = name.substr(0, name.size() - 6) + "gamma";
    if (name.ends_with("LayerNorm.bias")) name = name.substr(0, name.size() - 4) + "beta";
    old[name] = entry.tensor.detach();
  }
  old["embeddings.position_ids"] = at::arange(4);
  old["pooler.dense.weight"] = at::ones({16, 16});
  old["cls.predictions.decoder.weight"] = at::ones({40, 16});
  old["cls.seq_relationship.weight"] = at::ones({2, 16});
  old["something.else"] = at::ones({1});
  AdaptedWeights adapted = adapt_weights(*model, old);
  EXPECT_EQ(adapted.tensors.erase("something.else"), 1) << "left for load_state to complain about";
  EXPECT_EQ(adapted.tensors.size(), model->state().size());
  for (const NamedTensor& entry : model->state())
    EXPECT_TRUE(adapted.tensors.at(entry.name).is_same(entry.tensor.detach()) ||
                at::equal(adapted.tensors.at(entry.name), entry.tensor))
        << entry.name;
}

TEST(Weights, AnotherHeadIsFreshOnlyOnRequest) {
  const auto base = make_text_model(tiny("bert", TextHead::masked_lm), 1);
  const auto classifier = make_text_model(tiny("bert", TextHead::sequence_classification), 2);
  std::map<std::string, at::Tensor> tensors;
  for (const NamedTensor& entry : base->state()) tensors[entry.name] = entry.tensor.detach();
  EXPECT_FALSE(adapt_weights(*classifier, tensors).tensors.contains("classifier.weight"));
  const AdaptedWeights adapted = adapt_weights(*classifier, tensors, /*fresh_head=*/true);
  EXPECT_THAT(adapted.fresh, ElementsAre("bert.pooler.dense.weight", "bert.pooler.dense.bias",
                                         "classifier.weight", "classifier.bias"));
  EXPECT_EQ(adapted.tensors.size(), classifier->state().size());
}

TEST(Init, FollowsTransformers) {
  const auto model = make_text_model(
      text_config("gpt2", {.vocab_size = 500, .hidden_size = 128, .layers = 8}, TextHead::causal_lm), 1);
  const auto deviation = [&](const std::string& name) {
    for (const NamedTensor& entry : model->state())
      if (entry.name == name) return entry.tensor.std().item<double>();
    return -1.0;
  };
  EXPECT_NEAR(deviation("transformer.wte.weight"), 0.02, 0.0005);
  EXPECT_NEAR(deviation("transformer.h.3.attn.c_attn.weight"), 0.02, 0.0005);
  EXPECT_NEAR(deviation("transformer.h.3.mlp.c_proj.weight"), 0.02 / 4, 0.0002);
  EXPECT_EQ(deviation("transformer.h.3.mlp.c_proj.bias"), 0);
  const auto bert = make_text_model(tiny("bert", TextHead::encoder), 1);
  EXPECT_EQ(bert->state().at(0).tensor[0].abs().sum().item<double>(), 0) << "the row of the padding id";
}

TEST(Pooling, MeanFirstAndLast) {
  const at::Tensor rows = at::tensor({1.F, 2.F, 3.F, 4.F, 6.F, 8.F}).view({3, 2});
  EXPECT_TRUE(at::equal(pool_rows(rows, {0, 1, 3}, "mean"), at::tensor({1.F, 2.F, 4.5F, 6.F}).view({2, 2})));
  EXPECT_TRUE(at::equal(pool_rows(rows, {0, 1, 3}, "cls"), at::tensor({1.F, 2.F, 3.F, 4.F}).view({2, 2})));
  EXPECT_TRUE(at::equal(pool_rows(rows, {0, 1, 3}, "last"), at::tensor({1.F, 2.F, 6.F, 8.F}).view({2, 2})));
  EXPECT_EQ(pool_rows(rows, {0, 0, 3}, "mean")[0].abs().sum().item<float>(), 0);
  EXPECT_THAT(error_of(ExitCode::usage, [&] { pool_rows(rows, {0, 0, 3}, "cls"); }), HasSubstr("sequence 0"));
}

}  // namespace
}  // namespace mgd
