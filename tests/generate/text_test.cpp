// Texts: stop strings, streams, masks, pseudo-likelihoods.
#include <ATen/core/grad_mode.h>

#include "mgd/generate/fill_mask.h"
#include "mgd/generate/generate_text.h"
#include "mgd/generate/pseudo_perplexity.h"
#include "mgd/generate/stop_strings.h"
#include "support.h"

namespace mgd {
namespace {

using testing::HasSubstr;

TEST(StopStrings, FindsAndHoldsBack) {
  const StopStrings stops({"\n\n", "END"});
  EXPECT_EQ(stops.find("a b\n\nc"), 3U);
  EXPECT_EQ(stops.find("xENDy\n\n"), 1U);
  EXPECT_EQ(stops.find("EN D\n \n"), std::string::npos);
  EXPECT_EQ(stops.settled("abc"), 3U);
  EXPECT_EQ(stops.settled("abc\n"), 3U);
  EXPECT_EQ(stops.settled("abcEN"), 3U);
  EXPECT_EQ(stops.settled("abcENX"), 6U);
  EXPECT_EQ(stops.settled("abcENDX"), 3U);
  EXPECT_THAT(error_of(ExitCode::usage, [] { StopStrings({""}); }), HasSubstr("empty text"));
}

TEST(GenerateText, StreamsWhatItReturns) {
  const TinyModel gpt2 = tiny("gpt2");
  const std::vector<TextPrompt> prompts = {{"a cat", 0}, {"the dogs", 1}, {"x", 2}};
  for (const std::int64_t beams : {1, 3}) {
    std::vector<std::string> streamed(prompts.size());
    const auto results =
        generate_text(*gpt2.model, gpt2.tokenizer, prompts, {.max_new_tokens = 20, .num_beams = beams}, {},
                      [&](std::size_t prompt, const std::string& piece) { streamed[prompt] += piece; });
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      EXPECT_FALSE(results[i].text.empty());
      EXPECT_EQ(results[i].text, streamed[i]);
      EXPECT_EQ(results[i].text, gpt2.tokenizer.decode(results[i].tokens));
    }
  }
}

TEST(GenerateText, EndsBeforeAStopString) {
  const TinyModel gpt2 = tiny("gpt2");
  const std::vector<TextPrompt> prompt = {{"a cat", 0}};
  for (const std::int64_t beams : {1, 2}) {
    const GenerateOptions options{
        .sampling = {.repetition_penalty = 1.5}, .max_new_tokens = 30, .num_beams = beams};
    const auto whole = generate_text(*gpt2.model, gpt2.tokenizer, prompt, options).front();
    // Two whole characters from the midst of it.
    std::size_t begin = whole.text.size() / 2;
    while ((static_cast<unsigned char>(whole.text[begin]) & 0xC0) == 0x80) ++begin;
    const std::string stop = whole.text.substr(begin, 3);
    std::string streamed;
    const auto stopped = generate_text(*gpt2.model, gpt2.tokenizer, prompt, options, {"not there", stop},
                                       [&](std::size_t, const std::string& piece) { streamed += piece; })
                             .front();
    EXPECT_EQ(stopped.text.find(stop), std::string::npos);
    EXPECT_EQ(streamed, stopped.text);
    if (beams > 1) continue;  // another beam may win when one ends early
    EXPECT_EQ(stopped.ending, Ending::stop);
    EXPECT_EQ(stopped.text, whole.text.substr(0, whole.text.find(stop)));
    EXPECT_LT(stopped.tokens.size(), whole.tokens.size());
  }
}

TEST(GenerateText, AnEmptyPromptIsTheStartToken) {
  const TinyModel gpt2 = tiny("gpt2");
  const std::vector<TextPrompt> prompts = {{"", 0}, {"<|endoftext|>", 0}};
  const auto results = generate_text(*gpt2.model, gpt2.tokenizer, prompts, {.max_new_tokens = 5});
  EXPECT_EQ(results[0].tokens, results[1].tokens);
  EXPECT_FALSE(results[0].tokens.empty());
}

TEST(FillMask, IsThatOfTransformers) {
  const TinyModel bert = tiny("bert");
  std::vector<std::string> texts;
  for (const auto& row : expected().at("fill_mask")) texts.push_back(row.at("text"));
  const auto filled = fill_mask(*bert.model, bert.tokenizer, texts, {.top = 3});
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto& masks = expected().at("fill_mask").at(i).at("masks");
    ASSERT_EQ(filled[i].masks.size(), masks.size());
    EXPECT_EQ(filled[i].logits.size(0), static_cast<std::int64_t>(masks.size()));
    for (std::size_t m = 0; m < masks.size(); ++m) {
      ASSERT_EQ(filled[i].masks[m].size(), 3U);
      for (std::size_t k = 0; k < 3; ++k) {
        const MaskGuess& guess = filled[i].masks[m][k];
        const auto& want = masks.at(m).at(k);
        EXPECT_EQ(guess.token, want.at("token").get<std::int64_t>());
        EXPECT_EQ(guess.token_str, want.at("token_str").get<std::string>());
        EXPECT_EQ(guess.sequence, want.at("sequence").get<std::string>());
        EXPECT_NEAR(guess.score, want.at("score").get<double>(), 1e-6);
      }
    }
  }
}

TEST(FillMask, SaysWhatIsWrong) {
  const TinyModel bert = tiny("bert"), gpt2 = tiny("gpt2"), bart = tiny("bart");
  const auto message = [](const TinyModel& tiny_model, const std::string& text) {
    return error_of(ExitCode::usage, [&] { fill_mask(*tiny_model.model, tiny_model.tokenizer, {&text, 1}); });
  };
  EXPECT_THAT(message(bert, "the cat <mask>"),
              HasSubstr("'the cat <mask>': there is nothing to fill in; write [MASK]"));
  EXPECT_THAT(message(bart, "a [MASK]"), HasSubstr("write <mask>"));
  EXPECT_THAT(message(gpt2, "a [MASK]"),
              HasSubstr("gpt2 with a head for causal_lm fills in no hidden tokens"));
  std::string text = "[MASK]";
  for (int i = 0; i < 50; ++i) text += " cat";
  EXPECT_THAT(message(bert, text), HasSubstr("got 53 tokens, but bert takes at most 40"));
}

TEST(PseudoPerplexity, IsThatOfHidingEachTokenByItself) {
  const TinyModel bert = tiny("bert");
  for (const auto& row : expected().at("pseudo")) {
    const auto ids = row.at("ids").get<TokenIds>();
    EXPECT_EQ(bert.tokenizer.encode(row.at("text").get<std::string>()).ids, ids);
    for (const std::int64_t batch_tokens : {1, 25, 4096}) {
      const PseudoLikelihood got =
          pseudo_likelihood(*bert.model, bert.tokenizer, ids, {.batch_tokens = batch_tokens});
      EXPECT_EQ(got.tokens, static_cast<std::int64_t>(ids.size()) - 2);
      EXPECT_NEAR(got.nats, row.at("nats").get<double>(), 1e-4);
      EXPECT_NEAR(got.perplexity(), std::exp(got.nats / static_cast<double>(got.tokens)), 1e-9);
    }
  }
  EXPECT_EQ(pseudo_likelihood(*bert.model, bert.tokenizer, {2, 3}).perplexity(), 1);
}

}  // namespace
}  // namespace mgd
