// For scripts/slow/transformers_roundtrip.py: folders that we wrote, with our answers, and our answers to
// folders of others. MGD_TEXT_EXCHANGE is the folder of the exchange; without it there is nothing to do.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/eval/text_folder.h"

namespace mgd {
namespace {

// DIR/NAME.answer.safetensors: "ids" and "offsets" of `tokens`, and "logits" or "embedding".
void answer(TextModel& model, const PackedTokens& tokens, const std::string& path) {
  Batch batch;
  batch.tokens = tokens;
  if (model.config().encoder_decoder()) batch.decoder_tokens = tokens;
  Forward forward;
  const at::NoGradGuard no_grad;
  const Record output = model.run(batch, forward);
  TensorMap answers{{"ids", tokens.ids}, {"offsets", at::tensor(tokens.offsets, at::kLong)}};
  if (output.embedding.defined())
    answers["embedding"] = output.embedding;
  else
    answers["logits"] = output.head.defined() ? logits_of(output.head) : output.logits;
  write_file_atomic(path + ".answer.safetensors", tensors_to_safetensors(answers));
}

PackedTokens some_tokens(std::int64_t vocab_size, std::int64_t last) {
  std::vector<std::int64_t> ids, offsets = {0};
  for (const std::int64_t length : {7, 2, 12}) {
    for (std::int64_t t = 0; t < length; ++t)
      ids.push_back(t + 1 < length ? 5 + (7 * t + 3 * length) % (vocab_size - 5) : last);
    offsets.push_back(static_cast<std::int64_t>(ids.size()));
  }
  return {.ids = at::tensor(ids, at::kLong), .offsets = offsets};
}

TEST(TextExchange, WritesFoldersAndAnswersOthers) {
  const char* exchange = std::getenv("MGD_TEXT_EXCHANGE");
  if (exchange == nullptr) GTEST_SKIP() << "MGD_TEXT_EXCHANGE is not set";
  const fs::path folder = exchange;
  for (const std::string& type : known_text_models()) {
    for (const TextHead head : {TextHead::encoder, TextHead::masked_lm, TextHead::causal_lm,
                                TextHead::sequence_classification, TextHead::token_classification}) {
      for (const bool tied : {true, false}) {
        const TextSizes sizes{.vocab_size = 50,
                              .hidden_size = 32,
                              .layers = 4,
                              .heads = 4,
                              .max_positions = 40,
                              .tie_embeddings = tied};
        std::unique_ptr<TextModel> model;
        try {
          model = make_text_model(text_config(type, sizes, head), 7);
        } catch (const Error&) {
          continue;  // no such head
        }
        const std::string name = type + "_" + text_head_name(head) + (tied ? "" : "_untied");
        save_text_model(folder / name, *model);
        answer(*model, some_tokens(50, 2), folder / name);
      }
    }
  }
  for (const auto& entry : fs::directory_iterator(folder / "others")) {
    if (!entry.is_directory()) continue;
    const OpenedText opened = open_text_folder(entry.path());
    const TensorMap batch = load_tensors(entry.path().string() + ".batch.safetensors");
    const at::Tensor offsets = batch.at("offsets").contiguous();
    const std::int64_t* first = offsets.const_data_ptr<std::int64_t>();
    answer(*opened.model, {.ids = batch.at("ids"), .offsets = {first, first + offsets.numel()}},
           entry.path());
    save_text_model(entry.path().string() + "-ours", *opened.model, opened.tokenizer);
  }
}

}  // namespace
}  // namespace mgd
