#include "mgd/text/tokenizer_templates.h"

#include <nlohmann/json.hpp>

#include "mgd/core/error.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

json added_tokens(const std::vector<std::string>& special) {
  json out = json::array();
  for (std::size_t id = 0; id < special.size(); ++id)
    out.push_back({{"id", id},
                   {"content", special[id]},
                   {"single_word", false},
                   {"lstrip", special[id] == "<mask>"},  // RoBERTa's mask takes the space before it
                   {"rstrip", false},
                   {"normalized", false},
                   {"special", true}});
  return out;
}

// BERT's: [CLS] $A [SEP]
json bert_processor() {
  const auto special = [](const char* token, int type) {
    return json{{"SpecialToken", {{"id", token}, {"type_id", type}}}};
  };
  const auto text = [](const char* name, int type) {
    return json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  const auto entry = [](const char* token, int id) {
    return json{{"id", token}, {"ids", {id}}, {"tokens", {token}}};
  };
  return {
      {"type", "TemplateProcessing"},
      {"single", {special("[CLS]", 0), text("A", 0), special("[SEP]", 0)}},
      {"pair", {special("[CLS]", 0), text("A", 0), special("[SEP]", 0), text("B", 1), special("[SEP]", 1)}},
      {"special_tokens", {{"[CLS]", entry("[CLS]", 2)}, {"[SEP]", entry("[SEP]", 3)}}}};
}

json byte_level() {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
}

void fill_wordpiece(json& out, bool lowercase) {
  out["normalizer"] = {{"type", "BertNormalizer"},
                       {"clean_text", true},
                       {"handle_chinese_chars", true},
                       {"strip_accents", nullptr},
                       {"lowercase", lowercase}};
  out["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  out["post_processor"] = bert_processor();
  out["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  out["model"] = {{"type", "WordPiece"},
                  {"unk_token", "[UNK]"},
                  {"continuing_subword_prefix", "##"},
                  {"max_input_chars_per_word", 100}};
}

void fill_bpe(json& out, const LearnedMerges& learned) {
  out["pre_tokenizer"] = byte_level();
  out["post_processor"] = {{"type", "RobertaProcessing"},
                           {"sep", {"</s>", 2}},
                           {"cls", {"<s>", 0}},
                           {"trim_offsets", true},
                           {"add_prefix_space", false}};
  out["decoder"] = byte_level();
  out["model"] = {{"type", "BPE"},
                  {"dropout", nullptr},
                  {"unk_token", nullptr},
                  {"continuing_subword_prefix", nullptr},
                  {"end_of_word_suffix", nullptr},
                  {"fuse_unk", false},
                  {"byte_fallback", false},
                  {"ignore_merges", false},
                  {"merges", json::array()}};
  for (const auto& [left, right] : learned.merges) out["model"]["merges"].push_back({left, right});
}

void fill_char(json& out) {
  // [\s\S] is any character, line breaks included, in every dialect of patterns.
  out["pre_tokenizer"] = {
      {"type", "Split"}, {"pattern", {{"Regex", "[\\s\\S]"}}}, {"behavior", "Isolated"}, {"invert", false}};
  out["decoder"] = {{"type", "Fuse"}};
  out["model"] = {{"type", "WordLevel"}, {"unk_token", "[UNK]"}};
}

}  // namespace

std::vector<std::string> template_special_tokens(const std::string& kind) {
  if (kind == "wordpiece") return {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  if (kind == "bpe") return {"<s>", "<pad>", "</s>", "<unk>", "<mask>"};
  if (kind == "char") return {"[PAD]", "[UNK]", "[MASK]"};
  fail(ExitCode::usage, "kind of tokenizer: got '{}', expected wordpiece, bpe or char{}", printable(kind),
       suggestion(kind, {"wordpiece", "bpe", "char"}));
}

std::string tokenizer_template(const std::string& kind, bool lowercase, const LearnedMerges& learned) {
  json out{{"version", "1.0"},          {"truncation", nullptr},
           {"padding", nullptr},        {"added_tokens", added_tokens(template_special_tokens(kind))},
           {"normalizer", nullptr},     {"pre_tokenizer", nullptr},
           {"post_processor", nullptr}, {"decoder", nullptr}};
  if (kind == "wordpiece")
    fill_wordpiece(out, lowercase);
  else if (kind == "bpe")
    fill_bpe(out, learned);
  else
    fill_char(out);
  // In the order of ids, for a reader. Written by hand: nlohmann's ordered object finds each key by walking
  // through all of them.
  std::string vocab;
  for (std::size_t id = 0; id < learned.vocab.size(); ++id)
    vocab += fmt::format("{}{}:{}", id == 0 ? "" : ",", json(learned.vocab[id]).dump(), id);
  std::string text = out.dump();
  MGD_ASSERT(text.ends_with("}}"));  // the model is the last part
  text.insert(text.size() - 2, ",\"vocab\":{" + vocab + "}");
  return text;
}

std::string tokenizer_config(const Tokenizer& tokenizer) {
  json out;
  const SpecialTokens& special = tokenizer.special_tokens();
  const std::pair<const char*, std::int64_t> roles[] = {
      {"pad_token", special.pad}, {"unk_token", special.unk},   {"cls_token", special.cls},
      {"sep_token", special.sep}, {"mask_token", special.mask}, {"bos_token", special.bos},
      {"eos_token", special.eos}};
  for (const auto& [name, id] : roles)
    if (id >= 0) out[name] = tokenizer.token_of(id);
  out["tokenizer_class"] = "PreTrainedTokenizerFast";
  if (special.model_max_length > 0) out["model_max_length"] = special.model_max_length;
  return out.dump(2) + "\n";
}

}  // namespace mgd
