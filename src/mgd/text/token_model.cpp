#include "mgd/text/token_model.h"

#include "mgd/core/error.h"
#include "mgd/text/component.h"

namespace mgd {

namespace {

// Whole words only.
class WordLevel final : public TokenModel {
 public:
  explicit WordLevel(const JsonPlace& json)
      : TokenModel(Vocabulary::from_object(json.at("vocab"))),
        place_(json.place()),
        unknown_(json.at("unk_token").text()),
        unknown_id_(vocabulary_.find(unknown_)) {}

  void tokenize(std::string_view word, std::vector<WordToken>& out) const override {
    const auto id = vocabulary_.find(word);
    if (!id && !unknown_id_)
      fail(ExitCode::bad_data, "{}: '{}' is not in the vocabulary, nor is the unknown token '{}'", place_,
           printable(word), printable(unknown_));
    out.push_back({id ? *id : *unknown_id_, 0, static_cast<std::uint32_t>(word.size())});
  }

  std::optional<std::uint32_t> unknown() const override { return unknown_id_; }

 private:
  std::string place_, unknown_;
  std::optional<std::uint32_t> unknown_id_;
};

}  // namespace

std::unique_ptr<const TokenModel> read_word_level(const JsonPlace& json) {
  return std::make_unique<WordLevel>(json);
}

std::unique_ptr<const TokenModel> read_model(const JsonPlace& json) {
  // Old files name no type: merges make it BPE, a prefix WordPiece.
  std::string type = json.text_or("type", "");
  if (type.empty())
    type = json.find("merges") ? "BPE" : json.find("continuing_subword_prefix") ? "WordPiece" : "";
  if (type == "WordPiece") return read_wordpiece(json);
  if (type == "BPE") return read_bpe(json);
  if (type == "Unigram") return read_unigram(json);
  if (type == "WordLevel") return read_word_level(json);
  refuse_component(json, type, "model", {"WordPiece", "BPE", "Unigram", "WordLevel"});
}

}  // namespace mgd
