#include "mgd/generate/generate_text.h"

#include "mgd/core/error.h"
#include "mgd/data/text_frame.h"
#include "mgd/generate/stop_strings.h"

namespace mgd {

namespace {

// A decoder goes on from the text, so the special tokens that close one are left out; those that open one
// stand before it, as in what the model learned.
TokenIds prompt_ids(const TextModel& model, const Tokenizer& tokenizer, const TokenIds& opening,
                    const TextPrompt& prompt) {
  const TextConfig& config = model.config();
  const bool two = config.encoder_decoder();
  TokenIds ids = two ? TokenIds{} : opening;
  const TokenIds text = tokenizer.encode(prompt.text, {.add_special = two, .file_limits = false}).ids;
  ids.insert(ids.end(), text.begin(), text.end());
  const std::int64_t start = config.bos_id >= 0 ? config.bos_id : config.eos_id;
  if (ids.empty() && start >= 0) ids.push_back(start);
  return ids;
}

// The text of one prompt as it grows.
class GrowingText {
 public:
  GrowingText(const Tokenizer& tokenizer, const StopStrings& stops, const TokenIds& before)
      : stream_(tokenizer), stops_(stops) {
    for (const std::int64_t id : before) stream_.push(id);  // spaces depend on what stands before
  }

  std::string push(std::int64_t id) { return give(stream_.push(id), /*last=*/false); }
  std::string finish() { return give(stream_.finish(), /*last=*/true); }
  const std::string& given() const { return given_; }

 private:
  std::string give(const std::string& fresh, bool last) {
    text_ += fresh;
    const std::size_t stop = stops_.find(text_);
    const std::size_t end = stop != std::string::npos ? stop : last ? text_.size() : stops_.settled(text_);
    std::string piece = text_.substr(given_.size(), end - given_.size());
    given_ += piece;
    return piece;
  }

  DecodeStream stream_;
  const StopStrings& stops_;
  std::string text_, given_;  // given_ is how text_ begins
};

}  // namespace

std::vector<GeneratedText> generate_text(TextModel& model, const Tokenizer& tokenizer,
                                         std::span<const TextPrompt> prompts, const GenerateOptions& options,
                                         const std::vector<std::string>& stop, const OnText& on_text) {
  const StopStrings stops(stop);
  const bool two = model.config().encoder_decoder();
  const TokenIds opening = document_frame(tokenizer).before.ids;
  std::vector<Prompt> ids;
  std::vector<GrowingText> texts;
  for (const TextPrompt& prompt : prompts) {
    ids.push_back({.ids = prompt_ids(model, tokenizer, opening, prompt), .sample = prompt.sample});
    texts.emplace_back(tokenizer, stops, two ? TokenIds{} : ids.back().ids);
  }
  const auto tell = [&](std::size_t prompt, const std::string& piece) {
    if (on_text && !piece.empty()) on_text(prompt, piece);
  };
  const bool beams = options.num_beams > 1;
  GenerateHooks hooks;
  if (!beams)
    hooks.on_token = [&](std::size_t prompt, std::int64_t token) { tell(prompt, texts[prompt].push(token)); };
  if (!stops.empty())
    hooks.stops = [&](std::span<const std::int64_t> tokens) {
      return stops.find(tokenizer.decode(tokens)) != std::string::npos;
    };
  std::vector<GeneratedText> results;
  const std::vector<Generated> generated = generate(model, ids, options, hooks);
  for (std::size_t i = 0; i < generated.size(); ++i) {
    if (beams)
      for (const std::int64_t token : generated[i].tokens) tell(i, texts[i].push(token));
    tell(i, texts[i].finish());
    results.push_back(
        {.text = texts[i].given(), .tokens = generated[i].tokens, .ending = generated[i].ending});
  }
  return results;
}

}  // namespace mgd
