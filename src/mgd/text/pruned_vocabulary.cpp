#include "mgd/text/pruned_vocabulary.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "mgd/core/error.h"

namespace mgd {

namespace {

using Json = nlohmann::json;  // sorted: the ordered kind finds each key of a vocabulary by walking through it

// As `\[unused\d+\]` at the beginning of the token.
bool is_placeholder(std::string_view token) {
  constexpr std::string_view kBegin = "[unused";
  if (!token.starts_with(kBegin)) return false;
  const std::size_t end = token.find_first_not_of("0123456789", kBegin.size());
  return end != std::string_view::npos && end > kBegin.size() && token[end] == ']';
}

// The vocabulary of a WordPiece, WordLevel or BPE model, with new numbers.
Json renumbered(const Json& vocabulary, const std::map<std::string, std::int64_t>& numbers) {
  Json kept = Json::object();
  for (const auto& [token, id] : vocabulary.items())
    if (const auto found = numbers.find(token); found != numbers.end()) kept[token] = found->second;
  return kept;
}

// A merge needs its two tokens and what they become.
Json kept_merges(const Json& merges, const std::set<std::string>& left_out) {
  Json kept = Json::array();
  for (const Json& merge : merges) {
    std::string left, right;
    if (merge.is_array()) {
      left = merge[0], right = merge[1];
    } else {
      const std::string text = merge;
      const std::size_t space = text.find(' ');
      left = text.substr(0, space), right = space == std::string::npos ? "" : text.substr(space + 1);
    }
    if (!left_out.contains(left) && !left_out.contains(right) && !left_out.contains(left + right))
      kept.push_back(merge);
  }
  return kept;
}

// Unigram: ids are places in the list.
void prune_pieces(Json& model, const std::set<std::string>& left_out) {
  Json kept = Json::array();
  Json unknown = nullptr;
  for (std::size_t id = 0; id < model["vocab"].size(); ++id) {
    const Json& piece = model["vocab"][id];
    if (left_out.contains(piece[0].get<std::string>())) continue;
    if (model.contains("unk_id") && model["unk_id"] == id) unknown = kept.size();
    kept.push_back(piece);
  }
  model["vocab"] = std::move(kept);
  model["unk_id"] = unknown;
}

// Whether anything changed: a byte-level stage, also within a sequence, puts a space before the text.
bool open_with_space(Json& stage) {
  if (!stage.is_object()) return false;
  bool changed = false;
  if (stage.contains("pretokenizers"))
    for (Json& inner : stage["pretokenizers"]) changed = open_with_space(inner) || changed;
  if (stage.value("type", "") != "ByteLevel" || stage.value("add_prefix_space", true)) return changed;
  stage["add_prefix_space"] = true;
  return true;
}

void take_off_frame(Json& document, std::int64_t max_length) {
  document["post_processor"] = nullptr;
  document["padding"] = nullptr;
  document["truncation"] = {
      {"direction", "Right"}, {"max_length", max_length}, {"strategy", "LongestFirst"}, {"stride", 0}};
}

}  // namespace

Tokenizer unframed(const Tokenizer& tokenizer, const std::string& source) {
  Json document = Json::parse(tokenizer.to_json());
  document["post_processor"] = nullptr;
  return Tokenizer::from_json(document.dump(), source);
}

PrunedVocabulary whole_vocabulary(const Tokenizer& tokenizer, std::int64_t max_length) {
  PrunedVocabulary whole;
  for (std::int64_t id = 0; id < tokenizer.vocab_size(); ++id)
    if (tokenizer.has_id(id)) whole.ids.push_back(id);
  Json document = Json::parse(tokenizer.to_json());
  take_off_frame(document, max_length);
  whole.tokenizer = document.dump();
  return whole;
}

PrunedVocabulary prune_vocabulary(const Tokenizer& tokenizer, std::int64_t max_length) {
  PrunedVocabulary pruned;
  Json document = Json::parse(tokenizer.to_json());
  std::set<std::string> added, left_out;
  if (document.contains("added_tokens"))
    for (const Json& token : document["added_tokens"]) added.insert(token["content"].get<std::string>());
  const std::int64_t unknown = tokenizer.unknown_id().value_or(tokenizer.special_tokens().unk);
  for (const std::int64_t id : {unknown, tokenizer.special_tokens().pad})
    if (id >= 0 && tokenizer.has_id(id)) added.erase(tokenizer.token_of(id));

  std::map<std::string, std::int64_t> numbers;
  for (std::int64_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.has_id(id)) continue;
    const std::string& token = tokenizer.token_of(id);
    if (numbers.contains(token)) continue;  // an added token that the vocabulary has under another id
    const bool placeholder = is_placeholder(token);
    if (!placeholder && !added.contains(token)) {
      numbers[token] = static_cast<std::int64_t>(pruned.ids.size());
      pruned.ids.push_back(id);
      continue;
    }
    left_out.insert(token);
    ++(placeholder ? pruned.num_placeholders : pruned.num_added);
  }
  if (pruned.ids.empty())
    fail(ExitCode::bad_data, "tokenizer: all of its {} tokens are placeholders or special", left_out.size());

  Json kept = Json::array();
  for (Json& token : document["added_tokens"])
    if (const auto found = numbers.find(token["content"].get<std::string>()); found != numbers.end()) {
      token["id"] = found->second;
      kept.push_back(token);
    }
  document["added_tokens"] = std::move(kept);
  Json& model = document["model"];
  if (model["vocab"].is_array())
    prune_pieces(model, left_out);
  else
    model["vocab"] = renumbered(model["vocab"], numbers);
  // A byte-level model needs none, and gets the one that its folder names.
  if (model.value("type", "") == "BPE" && !tokenizer.unknown_id() && unknown >= 0 &&
      tokenizer.has_id(unknown) && model["vocab"].contains(tokenizer.token_of(unknown)))
    model["unk_token"] = tokenizer.token_of(unknown);
  if (model.contains("merges")) model["merges"] = kept_merges(model["merges"], left_out);
  pruned.opens_with_space = open_with_space(document["pre_tokenizer"]);
  take_off_frame(document, max_length);
  pruned.tokenizer = document.dump();
  return pruned;
}

}  // namespace mgd
