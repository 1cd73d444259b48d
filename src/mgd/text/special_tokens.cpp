#include "mgd/text/special_tokens.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "mgd/core/error.h"
#include "mgd/text/json_place.h"

namespace mgd {

namespace {

struct Role {
  const char* key;
  std::int64_t SpecialTokens::*id;
  std::vector<std::string_view> spellings;
};

std::vector<Role> roles() {
  return {{"pad_token", &SpecialTokens::pad, {"[PAD]", "<pad>"}},
          {"unk_token", &SpecialTokens::unk, {"[UNK]", "<unk>"}},
          {"cls_token", &SpecialTokens::cls, {"[CLS]", "<s>", "<cls>"}},
          {"sep_token", &SpecialTokens::sep, {"[SEP]", "</s>", "<sep>"}},
          {"mask_token", &SpecialTokens::mask, {"[MASK]", "<mask>"}},
          {"bos_token", &SpecialTokens::bos, {"[BOS]", "<s>", "<bos>", "<|startoftext|>", "<|endoftext|>"}},
          {"eos_token", &SpecialTokens::eos, {"[EOS]", "</s>", "<eos>", "<|endoftext|>"}}};
}

nlohmann::json read_json(const fs::path& file) {
  constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 26;
  try {
    return nlohmann::json::parse(read_file(file, kMaxBytes));
  } catch (const nlohmann::json::exception& error) {
    fail(ExitCode::bad_data, "{}: not valid JSON: {}", file.string(), printable(error.what()));
  }
}

bool is_left(const JsonPlace& side) {
  const std::string name = side.text();
  if (name != "left" && name != "right")
    side.refuse(fmt::format("got '{}', expected left or right", printable(name)));
  return name == "left";
}

// "[MASK]" or {"content": "[MASK]", ...}
void read_file_roles(const fs::path& file, const TokenLookup& id_of, SpecialTokens& out) {
  const nlohmann::json document = read_json(file);
  const JsonPlace root(document, file.string());
  for (const Role& role : roles()) {
    const auto named = root.find(role.key);
    if (!named || out.*role.id >= 0) continue;
    const std::string token = named->value().is_object() ? named->at("content").text() : named->text();
    const auto id = id_of(token);
    if (!id) named->refuse(fmt::format("'{}' is not in the vocabulary of tokenizer.json", printable(token)));
    out.*role.id = *id;
  }
  // "No limit" is written as 1e30.
  constexpr double kNoLimit = 1e9;
  if (const auto length = root.find("model_max_length");
      length && length->number() < kNoLimit && length->number() >= 1)
    out.model_max_length = static_cast<std::int64_t>(length->number());
  if (const auto side = root.find("truncation_side")) out.truncate_left = is_left(*side);
  if (const auto side = root.find("padding_side")) is_left(*side);  // nothing is padded here
}

}  // namespace

SpecialTokens find_special_tokens(const fs::path& folder, const TokenLookup& id_of) {
  SpecialTokens out;
  for (const char* const name : {"tokenizer_config.json", "special_tokens_map.json"})
    if (std::error_code ignored; !folder.empty() && fs::exists(folder / name, ignored))
      read_file_roles(folder / name, id_of, out);
  for (const Role& role : roles())
    for (const std::string_view spelling : role.spellings)
      if (const auto id = id_of(spelling); id && out.*role.id < 0) out.*role.id = *id;
  return out;
}

}  // namespace mgd
