#include "mgd/text/post_processor.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/text/component.h"
#include "mgd/text/unicode.h"
#include "mgd/text/utf8.h"
#include "mgd/text/vocabulary.h"

namespace mgd {

namespace {

// The space of byte-level BPE, or any white space.
bool is_spelled_space(char32_t c) {
  return c == 0x120 || is_white_space(c);
}

std::uint32_t leading_spaces(std::string_view piece) {
  std::uint32_t n = 0;
  for (std::size_t at = 0; at < piece.size() && is_spelled_space(next_code_point(piece, at));) ++n;
  return n;
}

std::uint32_t trailing_spaces(std::string_view piece) {
  std::uint32_t n = 0;
  for (std::size_t end = piece.size(); end > 0; ++n) {
    std::size_t at = end - last_code_point_bytes(piece, end);
    const std::size_t begin = at;
    if (!is_spelled_space(next_code_point(piece, at))) break;
    end = begin;
  }
  return n;
}

// Takes white space out of the offsets. One space in front of the text is the one that was put there, and no
// character of the text.
void trim_offsets(TokenList& tokens, bool add_prefix_space) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    ListedToken& token = tokens[i];
    std::uint32_t leading = leading_spaces(token.piece);
    const std::uint32_t trailing = trailing_spaces(token.piece);
    if (leading == 1 && add_prefix_space && (i == 0 || token.begin == 0)) leading = 0;
    if (leading > 0) token.begin = std::min(token.begin + leading, token.end);
    if (trailing > 0 && token.end >= trailing) token.end = std::max(token.end - trailing, token.begin);
  }
}

struct SpecialToken {
  std::string content;
  std::uint32_t id = 0;
};

ListedToken listed(const SpecialToken& token, std::int64_t type_id) {
  return {.id = token.id, .type_id = type_id, .special = 1, .piece = token.content};
}

SpecialToken read_special(const JsonPlace& json) {  // ["[SEP]", 102]
  const std::vector<JsonPlace> pair = json.items();
  if (pair.size() != 2) json.refuse(fmt::format("got a list of {}, expected [token, id]", pair.size()));
  return {pair[0].text(), static_cast<std::uint32_t>(pair[1].integer(0, kMaxTokenId))};
}

// [CLS] a [SEP] b [SEP]
class BertProcessing final : public PostProcessor {
 public:
  explicit BertProcessing(const JsonPlace& json)
      : sep_(read_special(json.at("sep"))), cls_(read_special(json.at("cls"))) {}
  void apply(std::vector<TokenList>& lists, bool add_special) const override {
    if (!add_special) return;
    for (std::size_t i = 0; i < lists.size(); ++i) {
      if (i == 0) lists[i].insert(lists[i].begin(), listed(cls_, 0));
      lists[i].push_back(listed(sep_, i == 0 ? 0 : 1));
    }
  }
  std::size_t num_added(bool is_pair) const override { return is_pair ? 3 : 2; }

 private:
  SpecialToken sep_, cls_;
};

// <s> a </s> and <s> a </s></s> b </s>, all of type 0
class RobertaProcessing final : public PostProcessor {
 public:
  explicit RobertaProcessing(const JsonPlace& json)
      : sep_(read_special(json.at("sep"))),
        cls_(read_special(json.at("cls"))),
        trim_offsets_(json.at("trim_offsets").boolean()),
        add_prefix_space_(json.at("add_prefix_space").boolean()) {}
  void apply(std::vector<TokenList>& lists, bool add_special) const override {
    for (std::size_t i = 0; i < lists.size(); ++i) {
      if (trim_offsets_) trim_offsets(lists[i], add_prefix_space_);
      for (ListedToken& token : lists[i]) token.type_id = 0;
      if (!add_special) continue;
      lists[i].insert(lists[i].begin(), listed(i == 0 ? cls_ : sep_, 0));
      lists[i].push_back(listed(sep_, 0));
    }
  }
  std::size_t num_added(bool is_pair) const override { return is_pair ? 4 : 2; }

 private:
  SpecialToken sep_, cls_;
  bool trim_offsets_, add_prefix_space_;
};

class ByteLevel final : public PostProcessor {
 public:
  explicit ByteLevel(const JsonPlace& json)
      : trim_offsets_(json.at("trim_offsets").boolean()),
        add_prefix_space_(json.at("add_prefix_space").boolean()) {}
  void apply(std::vector<TokenList>& lists, bool) const override {
    if (!trim_offsets_) return;
    for (TokenList& list : lists) trim_offsets(list, add_prefix_space_);
  }
  std::size_t num_added(bool) const override { return 0; }

 private:
  bool trim_offsets_, add_prefix_space_;
};

class Sequence final : public PostProcessor {
 public:
  Sequence(const JsonPlace& json, int depth) {
    for (const JsonPlace& item : json.at("processors").items()) {
      steps_.push_back(read_post_processor(item, depth + 1));
      if (steps_.back()->is_template() && is_template_)
        item.refuse("a template behind a template is not supported");
      is_template_ = is_template_ || steps_.back()->is_template();
    }
  }
  void apply(std::vector<TokenList>& lists, bool add_special) const override {
    for (const auto& step : steps_) step->apply(lists, add_special);
  }
  std::size_t num_added(bool is_pair) const override {
    std::size_t n = 0;
    for (const auto& step : steps_) n += step->num_added(is_pair);
    return n;
  }
  bool is_template() const override { return is_template_; }

 private:
  std::vector<std::unique_ptr<const PostProcessor>> steps_;
  bool is_template_ = false;
};

}  // namespace

std::unique_ptr<const PostProcessor> read_post_processor(const JsonPlace& json, int depth) {
  if (depth > kMaxComponentDepth) json.refuse(fmt::format("nested more than {} deep", kMaxComponentDepth));
  const std::string type = json.at("type").text();
  if (type == "BertProcessing") return std::make_unique<BertProcessing>(json);
  if (type == "RobertaProcessing") return std::make_unique<RobertaProcessing>(json);
  if (type == "ByteLevel") return std::make_unique<ByteLevel>(json);
  if (type == "TemplateProcessing") return read_template(json);
  if (type == "Sequence") return std::make_unique<Sequence>(json, depth);
  refuse_component(json, type, "post-processor",
                   {"BertProcessing", "RobertaProcessing", "ByteLevel", "TemplateProcessing", "Sequence"});
}

}  // namespace mgd
