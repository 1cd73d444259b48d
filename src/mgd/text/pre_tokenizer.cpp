#include "mgd/text/pre_tokenizer.h"

#include "mgd/core/error.h"
#include "mgd/text/byte_level.h"
#include "mgd/text/component.h"
#include "mgd/text/metaspace.h"
#include "mgd/text/unicode.h"

namespace mgd {

namespace {

SplitBehavior read_behavior(const JsonPlace& json) {
  const std::string name = json.text();
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  refuse_component(json, name, "behavior",
                   {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"});
}

// Cuts with one finder; most kinds are that.
class Cut final : public PreTokenizer {
 public:
  Cut(Finder find, SplitBehavior behavior) : find_(std::move(find)), behavior_(behavior) {}
  void apply(SplitText& text) const override { cut(text, find_, behavior_); }

 private:
  Finder find_;
  SplitBehavior behavior_;
};

template <class P>
std::unique_ptr<const PreTokenizer> cut_at(P property, SplitBehavior behavior) {
  return std::make_unique<Cut>(
      [property](std::string_view text, std::vector<Match>& out) { find_characters(text, property, out); },
      behavior);
}

// White space goes, each mark of punctuation stands alone.
void find_bert_words(std::string_view text, std::vector<Match>& out) {
  out.clear();
  std::size_t word = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_code_point(text, at);
    const bool space = is_white_space(c);
    if (!space && !is_punctuation(c)) continue;
    if (word < begin) out.push_back({word, begin, false});
    out.push_back({begin, at, space});
    word = at;
  }
  if (word < text.size()) out.push_back({word, text.size(), false});
}

// \w+|[^\w\s]+, and all else is a match that is removed.
void find_outside_words(std::string_view text, std::vector<Match>& out) {
  out.clear();
  int previous = -1;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_code_point(text, at);
    const int kind = is_word(c) ? 0 : is_white_space(c) ? 1 : 2;
    if (kind == previous)
      out.back().end = at;
    else
      out.push_back({begin, at, kind == 1});
    previous = kind;
  }
}

std::unique_ptr<const PreTokenizer> read_split(const JsonPlace& json) {
  const bool invert = json.at("invert").boolean();
  const Regex pattern = read_pattern(json.at("pattern"));
  return std::make_unique<Cut>(
      [pattern, invert](std::string_view text, std::vector<Match>& out) {
        pattern.find_all(text, out);
        if (invert)
          for (Match& match : out) match.matched = !match.matched;
      },
      read_behavior(json.at("behavior")));
}

std::unique_ptr<const PreTokenizer> read_fixed_length(const JsonPlace& json) {
  const auto length = json.at("length").integer(1);
  return std::make_unique<Cut>(
      [length](std::string_view text, std::vector<Match>& out) {
        out.clear();
        for (std::size_t at = 0; at < text.size();) {
          const std::size_t begin = at;
          for (std::int64_t i = 0; i < length && at < text.size(); ++i) next_code_point(text, at);
          out.push_back({begin, at, false});
        }
      },
      SplitBehavior::isolated);
}

class Sequence final : public PreTokenizer {
 public:
  Sequence(const JsonPlace& json, int depth) {
    for (const JsonPlace& item : json.at("pretokenizers").items())
      steps_.push_back(read_pre_tokenizer(item, depth + 1));
  }
  void apply(SplitText& text) const override {
    for (const auto& step : steps_) step->apply(text);
  }

 private:
  std::vector<std::unique_ptr<const PreTokenizer>> steps_;
};

}  // namespace

std::unique_ptr<const PreTokenizer> read_pre_tokenizer(const JsonPlace& json, int depth) {
  if (depth > kMaxComponentDepth) json.refuse(fmt::format("nested more than {} deep", kMaxComponentDepth));
  const std::string type = json.at("type").text();
  if (type == "BertPreTokenizer") return std::make_unique<Cut>(find_bert_words, SplitBehavior::removed);
  if (type == "ByteLevel") return read_byte_level(json);
  if (type == "Metaspace") return read_metaspace(json);
  if (type == "Whitespace") return std::make_unique<Cut>(find_outside_words, SplitBehavior::removed);
  if (type == "WhitespaceSplit") return cut_at(is_white_space, SplitBehavior::removed);
  if (type == "Punctuation") {
    const auto behavior = json.find("behavior");
    return cut_at(is_punctuation, behavior ? read_behavior(*behavior) : SplitBehavior::isolated);
  }
  if (type == "Digits")
    return cut_at(is_number, json.at("individual_digits").boolean() ? SplitBehavior::isolated
                                                                    : SplitBehavior::contiguous);
  if (type == "CharDelimiterSplit" || type == "Delimiter") {
    const char32_t delimiter = json.at("delimiter").character();
    return cut_at([delimiter](char32_t c) { return c == delimiter; }, SplitBehavior::removed);
  }
  if (type == "Split") return read_split(json);
  if (type == "FixedLength") return read_fixed_length(json);
  if (type == "Sequence") return std::make_unique<Sequence>(json, depth);
  refuse_component(json, type, "pre-tokenizer",
                   {"BertPreTokenizer", "ByteLevel", "Metaspace", "Whitespace", "WhitespaceSplit",
                    "Punctuation", "Digits", "Delimiter", "Split", "FixedLength", "Sequence"});
}

}  // namespace mgd
