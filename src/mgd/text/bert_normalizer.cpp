#include "mgd/text/bert_normalizer.h"

#include "mgd/text/normal_form.h"
#include "mgd/text/unicode.h"

namespace mgd {

namespace {

bool is_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) ||
         (c >= 0x2F800 && c <= 0x2FA1F);
}

class BertNormalizer final : public Normalizer {
 public:
  explicit BertNormalizer(const JsonPlace& json)
      : clean_(json.at("clean_text").boolean()),
        isolate_chinese_(json.at("handle_chinese_chars").boolean()),
        lowercase_(json.at("lowercase").boolean()),
        strip_accents_(json.boolean_or("strip_accents", lowercase_)) {}

  void apply(AlignedText& text) const override {
    if (is_ascii(text.bytes)) return apply_ascii(text);
    if (clean_ || isolate_chinese_)
      rewrite_characters(text, [&](char32_t c, const auto& put) { separate(c, put); });
    if (strip_accents_) {
      normalize(text, NormalForm::nfd);
      rewrite_characters(text, [](char32_t c, const auto& put) {
        if (!is_nonspacing_mark(c)) put(c);
      });
    }
    if (lowercase_) lower(text);
  }

 private:
  template <class Put>
  void separate(char32_t c, const Put& put) const {
    if (clean_) {
      const bool line_space = c == '\t' || c == '\n' || c == '\r';
      if (c == kReplacementCharacter || (!line_space && is_control(c))) return;
      if (is_white_space(c)) c = ' ';
    }
    const bool alone = isolate_chinese_ && is_chinese(c);
    if (alone) put(' ');
    put(c);
    if (alone) put(' ');
  }

  // The same in place: a character of ASCII becomes one or none.
  void apply_ascii(AlignedText& text) const {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < text.bytes.size(); ++i) {
      char c = text.bytes[i];
      if (clean_) {
        if (c == '\t' || c == '\n' || c == '\r') c = ' ';
        if (c < ' ' || c == 0x7F) continue;
      }
      if (lowercase_ && c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
      text.bytes[kept] = c;
      text.origins[kept++] = text.origins[i];
    }
    text.bytes.resize(kept);
    text.origins.resize(kept);
  }

  bool clean_, isolate_chinese_, lowercase_, strip_accents_;
};

}  // namespace

void lower(AlignedText& text) {
  rewrite_characters(text, [](char32_t c, const auto& put) {
    const LowerCase lowered = lower_case(c);
    put(lowered.first);
    if (lowered.second != 0) put(lowered.second);
  });
}

std::unique_ptr<const Normalizer> read_bert_normalizer(const JsonPlace& json) {
  return std::make_unique<BertNormalizer>(json);
}

}  // namespace mgd
