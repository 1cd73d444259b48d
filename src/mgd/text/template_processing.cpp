// A post-processor whose form is written in the file: "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1".
#include <map>

#include "mgd/core/error.h"
#include "mgd/text/post_processor.h"
#include "mgd/text/vocabulary.h"

namespace mgd {

namespace {

struct Piece {
  int text = -1;     // 0 or 1: that text; -1: special tokens
  std::string name;  // of the special token
  std::int64_t type_id = 0;
};

struct SpecialTokenGroup {
  std::vector<std::uint32_t> ids;
  std::vector<std::string> contents;
};

// {"Sequence": {"id": "A", "type_id": 0}} or {"SpecialToken": {"id": "[CLS]", "type_id": 0}}
Piece read_piece(const JsonPlace& json) {
  const auto text = json.find("Sequence");
  const JsonPlace body = text ? *text : json.at("SpecialToken");
  Piece out{.name = body.at("id").text(), .type_id = body.at("type_id").integer(0, kMaxTokenId)};
  if (!text) return out;
  if (out.name != "A" && out.name != "B")
    body.refuse(fmt::format("got the text '{}', expected A or B", printable(out.name)));
  out.text = out.name == "A" ? 0 : 1;
  return out;
}

class TemplateProcessing final : public PostProcessor {
 public:
  explicit TemplateProcessing(const JsonPlace& json) {
    const JsonPlace tokens = json.at("special_tokens");
    single_ = read_pieces(json.at("single"), tokens, 0);
    pair_ = read_pieces(json.at("pair"), tokens, 1);
  }

  void apply(std::vector<TokenList>& lists, bool add_special) const override {
    std::vector<TokenList> out;
    for (const Piece& piece : lists.size() == 2 ? pair_ : single_) {
      if (piece.text >= 0) {
        out.push_back(lists[static_cast<std::size_t>(piece.text)]);
        for (ListedToken& token : out.back()) token.type_id = piece.type_id;
      } else if (add_special) {
        out.push_back(special(piece));
      }
    }
    lists = std::move(out);
  }

  std::size_t num_added(bool is_pair) const override {
    std::size_t n = 0;
    for (const Piece& piece : is_pair ? pair_ : single_)
      if (piece.text < 0) n += tokens_.at(piece.name).ids.size();
    return n;
  }

  bool is_template() const override { return true; }

 private:
  std::vector<Piece> read_pieces(const JsonPlace& json, const JsonPlace& tokens, int last_text) {
    std::vector<Piece> out;
    for (const JsonPlace& item : json.items()) {
      out.push_back(read_piece(item));
      if (out.back().text > last_text) item.refuse("there is no second text here");
      if (out.back().text < 0 && !tokens_.contains(out.back().name))
        read_token(tokens.at(out.back().name), out.back().name);
    }
    return out;
  }

  void read_token(const JsonPlace& json, const std::string& name) {
    SpecialTokenGroup& group = tokens_[name];
    for (const JsonPlace& id : json.at("ids").items())
      group.ids.push_back(static_cast<std::uint32_t>(id.integer(0, kMaxTokenId)));
    for (const JsonPlace& content : json.at("tokens").items()) group.contents.push_back(content.text());
    if (group.ids.size() != group.contents.size())
      json.refuse(
          fmt::format("got {} ids and {} tokens, expected as many", group.ids.size(), group.contents.size()));
  }

  TokenList special(const Piece& piece) const {
    const SpecialTokenGroup& group = tokens_.at(piece.name);
    TokenList out;
    for (std::size_t i = 0; i < group.ids.size(); ++i)
      out.push_back({.id = group.ids[i], .type_id = piece.type_id, .special = 1, .piece = group.contents[i]});
    return out;
  }

  std::vector<Piece> single_, pair_;
  std::map<std::string, SpecialTokenGroup> tokens_;
};

}  // namespace

std::unique_ptr<const PostProcessor> read_template(const JsonPlace& json) {
  return std::make_unique<TemplateProcessing>(json);
}

}  // namespace mgd
