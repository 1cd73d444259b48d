#include "mgd/text/tokenizer_settings.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "mgd/core/error.h"
#include "mgd/text/json_place.h"

namespace mgd {

namespace {

using nlohmann::json;

constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 26;

// The object of a file; empty where there is none.
json read_object(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return json::object();
  json object = json::parse(read_file(file, kMaxBytes), nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded()) fail(ExitCode::bad_data, "{}: not valid JSON", file.string());
  JsonPlace(object, file.string()).object();
  return object;
}

std::string text_of(const json& object, const char* key, const char* otherwise) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : otherwise;
}

// The classes of transformers that set BERT's normalizer from their settings.
bool is_bert_kind(const json& config) {
  constexpr const char* kKinds[] = {"Bert",     "DistilBert", "Electra",    "ConvBert", "Funnel",
                                    "LayoutLM", "Lxmert",     "MobileBert", "RoFormer", "SqueezeBert"};
  const std::string name = text_of(config, "tokenizer_class", "BertTokenizer");
  return std::any_of(std::begin(kKinds), std::end(kKinds), [&](const std::string& kind) {
    return name == kind + "Tokenizer" || name == kind + "TokenizerFast";
  });
}

json flag_or_null(const json& config, const char* key, const json& otherwise, const std::string& source) {
  if (!config.contains(key)) return otherwise;
  if (!config[key].is_boolean() && !config[key].is_null()) JsonPlace(config, source).at(key).boolean();
  return config[key];
}

bool set(json& object, const char* key, const json& value) {
  if (object.contains(key) && object[key] == value) return false;
  object[key] = value;
  return true;
}

bool apply_case(json& document, const json& config, const std::string& source) {
  json& normalizer = document["normalizer"];
  if (!config.contains("do_lower_case") || !is_bert_kind(config) || !normalizer.is_object() ||
      text_of(normalizer, "type", "") != "BertNormalizer")
    return false;
  bool changed = set(normalizer, "lowercase", flag_or_null(config, "do_lower_case", true, source));
  changed |= set(normalizer, "strip_accents", flag_or_null(config, "strip_accents", nullptr, source));
  changed |=
      set(normalizer, "handle_chinese_chars", flag_or_null(config, "tokenize_chinese_chars", true, source));
  return changed;
}

bool apply_prefix_space(json& document, const json& config, const std::string& source) {
  json& pre = document["pre_tokenizer"];
  if (!config.contains("add_prefix_space") || !pre.is_object() || !pre.contains("add_prefix_space"))
    return false;
  return set(pre, "add_prefix_space", flag_or_null(config, "add_prefix_space", false, source));
}

// sentence-transformers lowers the text itself.
bool apply_sentence_case(json& document, const json& config) {
  if (!config.contains("do_lower_case") || config["do_lower_case"] != true) return false;
  const json lower = {{"type", "Lowercase"}};
  json& normalizer = document["normalizer"];
  const json* first = &normalizer;
  if (normalizer.is_object() && text_of(normalizer, "type", "") == "Sequence" &&
      normalizer.contains("normalizers") && normalizer["normalizers"].is_array() &&
      !normalizer["normalizers"].empty())
    first = &normalizer["normalizers"][0];
  if (*first == lower) return false;
  if (normalizer.is_null())
    normalizer = lower;
  else
    normalizer = {{"type", "Sequence"}, {"normalizers", {lower, normalizer}}};
  return true;
}

std::map<std::string, std::int64_t> read_vocabulary(const fs::path& file) {
  std::istringstream lines(read_file(file, kMaxBytes));
  std::map<std::string, std::int64_t> vocabulary;
  std::int64_t id = 0;
  for (std::string line; std::getline(lines, line); ++id) {
    if (line.ends_with('\r')) line.pop_back();
    vocabulary[line] = id;
  }
  return vocabulary;
}

// The token of a role: from special_tokens_map.json, else tokenizer_config.json, else BERT's.
std::string token_of(const json& map, const json& config, const std::string& role, const char* otherwise) {
  for (const json* object : {&map, &config}) {
    if (!object->contains(role)) continue;
    const json& value = (*object)[role];
    if (value.is_string()) return value;
    if (value.is_object() && value.contains("content") && value["content"].is_string())
      return value["content"];
  }
  return otherwise;
}

json special(const std::string& token, int type) {
  return {{"SpecialToken", {{"id", token}, {"type_id", type}}}};
}

json text(const char* name, int type) {
  return {{"Sequence", {{"id", name}, {"type_id", type}}}};
}

}  // namespace

bool apply_folder_settings(json& document, const fs::path& folder) {
  if (folder.empty() || !document.is_object()) return false;
  const fs::path config_file = folder / "tokenizer_config.json";
  const json config = read_object(config_file);
  bool changed = apply_case(document, config, config_file.string());
  changed |= apply_prefix_space(document, config, config_file.string());
  changed |= apply_sentence_case(document, read_object(folder / "sentence_bert_config.json"));
  return changed;
}

json bert_tokenizer(const fs::path& vocab_txt) {
  const fs::path folder = parent_of(vocab_txt), config_file = folder / "tokenizer_config.json";
  const json config = read_object(config_file), map = read_object(folder / "special_tokens_map.json");
  if (!is_bert_kind(config))
    fail(ExitCode::bad_data,
         "{}: the tokenizer is of the class '{}', of which vocab.txt alone cannot be read; expected a "
         "tokenizer.json, "
         "or BERT's class",
         config_file.string(), printable(text_of(config, "tokenizer_class", "")));
  const auto vocabulary = read_vocabulary(vocab_txt);
  json added = json::array();
  std::map<std::string, std::string> roles;
  for (const auto& [role, usual] : {std::pair{"pad_token", "[PAD]"},
                                    {"unk_token", "[UNK]"},
                                    {"cls_token", "[CLS]"},
                                    {"sep_token", "[SEP]"},
                                    {"mask_token", "[MASK]"}}) {
    const std::string token = token_of(map, config, role, usual);
    const auto found = vocabulary.find(token);
    if (found == vocabulary.end())
      fail(ExitCode::bad_data, "{}: its {} '{}' is not there; not the vocabulary of a BERT?",
           vocab_txt.string(), role, printable(token));
    roles[role] = token;
    added.push_back({{"id", found->second},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  std::sort(added.begin(), added.end(), [](const json& a, const json& b) { return a["id"] < b["id"]; });
  const std::string cls = roles["cls_token"], sep = roles["sep_token"];
  const auto entry = [&](const std::string& token) {
    return json{{"id", token}, {"ids", {vocabulary.at(token)}}, {"tokens", {token}}};
  };
  json document = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", flag_or_null(config, "tokenize_chinese_chars", true, config_file.string())},
        {"strip_accents", flag_or_null(config, "strip_accents", nullptr, config_file.string())},
        {"lowercase", flag_or_null(config, "do_lower_case", true, config_file.string())}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}}};
  document["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {special(cls, 0), text("A", 0), special(sep, 0)}},
      {"pair", {special(cls, 0), text("A", 0), special(sep, 0), text("B", 1), special(sep, 1)}},
      {"special_tokens", {{cls, entry(cls)}, {sep, entry(sep)}}}};
  document["model"] = {{"type", "WordPiece"},
                       {"unk_token", roles["unk_token"]},
                       {"continuing_subword_prefix", "##"},
                       {"max_input_chars_per_word", 100},
                       {"vocab", vocabulary}};
  return document;
}

}  // namespace mgd
