#include "mgd/text/causal_tokenizer.h"

#include <nlohmann/json.hpp>

namespace mgd {

namespace {

using json = nlohmann::json;  // sorted: the ordered kind finds each key of a vocabulary by walking through it

json parse_or_empty(const std::string& text) {
  json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  return object.is_object() ? object : json::object();
}

json opening_template(const Tokenizer& tokenizer, std::span<const std::int64_t> opening) {
  const auto text = [](const char* name, int type) {
    return json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  json single = json::array(), special = json::object();
  for (const std::int64_t id : opening) {
    const std::string& token = tokenizer.token_of(id);
    single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
    special[token] = {{"id", token}, {"ids", {id}}, {"tokens", {token}}};
  }
  single.push_back(text("A", 0));
  json pair = single;
  pair.push_back(text("B", 1));
  return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", special}};
}

}  // namespace

void make_causal(std::map<std::string, std::string>& files, const Tokenizer& tokenizer,
                 std::span<const std::int64_t> opening, std::int64_t closing) {
  json document = parse_or_empty(tokenizer.to_json());
  document["post_processor"] = opening.empty() ? json(nullptr) : opening_template(tokenizer, opening);
  files["tokenizer.json"] = document.dump();
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    if (!files.contains(name) && std::string(name) != "tokenizer_config.json") continue;
    json object = parse_or_empty(files[name]);
    if (!opening.empty()) object["bos_token"] = tokenizer.token_of(opening.front());
    if (closing >= 0) object["eos_token"] = tokenizer.token_of(closing);
    files[name] = object.dump(2) + "\n";
  }
}

}  // namespace mgd
