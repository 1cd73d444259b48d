#include "mgd/text/normalizer.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/text/bert_normalizer.h"
#include "mgd/text/component.h"
#include "mgd/text/normal_form.h"
#include "mgd/text/regex.h"
#include "mgd/text/unicode.h"

namespace mgd {

namespace {

class InNormalForm final : public Normalizer {
 public:
  explicit InNormalForm(NormalForm form) : form_(form) {}
  void apply(AlignedText& text) const override { normalize(text, form_); }

 private:
  NormalForm form_;
};

class Lowercase final : public Normalizer {
 public:
  void apply(AlignedText& text) const override { lower(text); }
};

class StripAccents final : public Normalizer {
 public:
  void apply(AlignedText& text) const override {
    rewrite_characters(text, [](char32_t c, const auto& put) {
      if (!is_mark(c)) put(c);
    });
  }
};

// Control characters that SentencePiece's NMT rule drops, and those that it takes for a space.
class Nmt final : public Normalizer {
 public:
  void apply(AlignedText& text) const override {
    rewrite_characters(text, [](char32_t c, const auto& put) {
      const bool dropped =
          (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
      const bool space = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
                         (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                         c == 0xFEFF || c == kReplacementCharacter;
      if (!dropped) put(space ? U' ' : c);
    });
  }
};

class Strip final : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  void apply(AlignedText& text) const override {
    std::size_t begin = 0, end = text.bytes.size();
    while (left_ && begin < end) {
      std::size_t next = begin;
      if (!is_white_space(next_code_point(text.bytes, next))) break;
      begin = next;
    }
    while (right_ && end > begin) {
      std::size_t last = end - last_code_point_bytes(text.bytes, end);
      const std::size_t start_of_last = last;
      if (!is_white_space(next_code_point(text.bytes, last))) break;
      end = start_of_last;
    }
    if (begin == 0 && end == text.bytes.size()) return;
    AlignedText out;
    out.start = text.start;
    out.append(text, begin, end);
    text = std::move(out);
  }

 private:
  bool left_, right_;
};

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  void apply(AlignedText& text) const override { text.prepend(prefix_); }

 private:
  std::string prefix_;
};

// What takes the place of a match has the origin of the match's last character; of an empty match, that of
// the character before it.
class Replace final : public Normalizer {
 public:
  Replace(Regex pattern, std::string content) : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void apply(AlignedText& text) const override {
    std::vector<Match> matches;
    pattern_.find_all(text.bytes, matches);
    if (std::none_of(matches.begin(), matches.end(), [](const Match& m) { return m.matched; })) return;
    AlignedText out;
    out.start = text.start;
    out.reserve(text.bytes.size());
    for (const Match& match : matches) {
      if (match.matched)
        out.put(content_, match.end == 0 ? OriginSpan{text.start, text.start} : text.origins[match.end - 1]);
      else
        out.append(text, match.begin, match.end);
    }
    text = std::move(out);
  }

 private:
  Regex pattern_;
  std::string content_;
};

class Sequence final : public Normalizer {
 public:
  Sequence(const JsonPlace& json, int depth) {
    for (const JsonPlace& item : json.at("normalizers").items())
      steps_.push_back(read_normalizer(item, depth + 1));
  }
  void apply(AlignedText& text) const override {
    for (const auto& step : steps_) step->apply(text);
  }

 private:
  std::vector<std::unique_ptr<const Normalizer>> steps_;
};

}  // namespace

std::unique_ptr<const Normalizer> read_normalizer(const JsonPlace& json, int depth) {
  if (depth > kMaxComponentDepth) json.refuse(fmt::format("nested more than {} deep", kMaxComponentDepth));
  const std::string type = json.at("type").text();
  if (type == "BertNormalizer") return read_bert_normalizer(json);
  if (type == "NFC") return std::make_unique<InNormalForm>(NormalForm::nfc);
  if (type == "NFD") return std::make_unique<InNormalForm>(NormalForm::nfd);
  if (type == "NFKC") return std::make_unique<InNormalForm>(NormalForm::nfkc);
  if (type == "NFKD") return std::make_unique<InNormalForm>(NormalForm::nfkd);
  if (type == "Lowercase") return std::make_unique<Lowercase>();
  if (type == "StripAccents") return std::make_unique<StripAccents>();
  if (type == "Nmt") return std::make_unique<Nmt>();
  if (type == "Strip")
    return std::make_unique<Strip>(json.at("strip_left").boolean(), json.at("strip_right").boolean());
  if (type == "Prepend") return std::make_unique<Prepend>(json.at("prepend").text());
  if (type == "Replace")
    return std::make_unique<Replace>(read_pattern(json.at("pattern")), json.at("content").text());
  if (type == "Sequence") return std::make_unique<Sequence>(json, depth);
  refuse_component(json, type, "normalizer",
                   {"BertNormalizer", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt",
                    "Strip", "Prepend", "Replace", "Sequence"});
}

}  // namespace mgd
