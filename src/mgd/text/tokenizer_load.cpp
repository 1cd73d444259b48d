#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/format/safetensors.h"
#include "mgd/text/tokenizer_files.h"
#include "mgd/text/tokenizer_parts.h"
#include "mgd/text/tokenizer_settings.h"

namespace mgd {

namespace {

// The largest known one (a vocabulary of a million tokens) has 50 MB.
constexpr std::uint64_t kMaxJsonBytes = std::uint64_t{1} << 29;

nlohmann::json parse(std::string_view text, const std::string& source) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    fail(ExitCode::bad_data, "{}: not valid JSON: {}", source, printable(error.what()));
  }
}

}  // namespace

const std::string* Tokenizer::Parts::find_token(std::int64_t id) const {
  const AddedToken* const found = added->token(id);
  return found != nullptr ? &found->content : model->vocabulary().token(id);
}

std::optional<std::int64_t> Tokenizer::Parts::find_id(std::string_view token) const {
  if (const auto id = added->find(token)) return *id;
  if (const auto id = model->vocabulary().find(token)) return *id;
  return std::nullopt;
}

Tokenizer Tokenizer::from_json(std::string_view text, const std::string& source) {
  return read(text, source, {});
}

Tokenizer Tokenizer::load(const fs::path& path) {
  const fs::path file = tokenizer_file(path);
  if (file.filename() == "vocab.txt")
    return read(bert_tokenizer(file).dump(), file.string(), parent_of(file));
  const std::string text = read_file(file, kMaxJsonBytes);
  refuse_stand_in(text, file.string());
  return read(text, file.string(), parent_of(file));
}

Tokenizer Tokenizer::read(std::string_view text, const std::string& source, const fs::path& folder) {
  nlohmann::json document = parse(text, source);
  const bool changed = apply_folder_settings(document, folder);
  const JsonPlace root(document, source);
  if (const std::string version = root.text_or("version", "1.0"); version != "1.0")
    root.refuse(fmt::format("got the version '{}', expected 1.0", printable(version)));
  // "FILE: model.vocab" reads better than "FILE.model.vocab".
  const auto part = [&](std::string_view key) -> std::optional<JsonPlace> {
    const auto found = root.find(key);
    return found ? std::optional(JsonPlace(found->value(), fmt::format("{}: {}", source, key)))
                 : std::nullopt;
  };
  auto parts = std::make_unique<Parts>();
  parts->source = source;
  parts->json = changed ? document.dump() : std::string(text);
  if (const auto json = part("normalizer")) parts->normalizer = read_normalizer(*json);
  if (const auto json = part("pre_tokenizer")) parts->pre_tokenizer = read_pre_tokenizer(*json);
  const auto model = part("model");
  if (!model) root.refuse("'model' is missing");
  parts->model = read_model(*model);
  const Vocabulary& vocabulary = parts->model->vocabulary();
  parts->added = std::make_unique<AddedTokens>(part("added_tokens"), vocabulary, parts->normalizer.get());
  parts->truncation = read_truncation(part("truncation"));
  if (const auto json = part("post_processor")) parts->post_processor = read_post_processor(*json);
  parts->padding = read_padding(part("padding"));
  if (const auto json = part("decoder")) parts->decoder = read_decoder(*json);
  const auto& added = parts->added->by_id();
  parts->num_ids = std::max(static_cast<std::int64_t>(vocabulary.num_ids()),
                            added.empty() ? 0 : static_cast<std::int64_t>(added.rbegin()->first) + 1);
  parts->special = find_special_tokens(folder, [&](std::string_view token) { return parts->find_id(token); });
  if (!parts->special.truncate_left)
    parts->special.truncate_left = parts->truncation && parts->truncation->from_left;
  return Tokenizer(std::move(parts));
}

}  // namespace mgd
