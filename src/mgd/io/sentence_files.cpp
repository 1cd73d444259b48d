#include "mgd/io/sentence_files.h"

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/format/json_field.h"
#include "mgd/text/tokenizer_files.h"

namespace mgd {

namespace {

using nlohmann::json;

// What the file holds, from the folder itself or from `inner`; null where it is not there.
json find_object(const fs::path& folder, const fs::path& inner, const char* name, std::string& source) {
  constexpr std::uint64_t kMostBytes = 10'000'000;
  for (const fs::path& place : {folder, inner}) {
    source = (place / name).string();
    if (fs::exists(place / name)) return parse_json_object(read_file(place / name, kMostBytes), source);
  }
  return nullptr;
}

}  // namespace

std::string SentenceFiles::prompt(const std::string& name, const std::string& source) const {
  const std::string wanted = name.empty() ? default_prompt : name;
  if (const auto found = prompts.find(wanted); found != prompts.end()) return found->second;
  if (wanted.empty() || wanted == "none") return "";
  std::vector<std::string> known = {"none"};
  for (const auto& [known_name, text] : prompts) known.push_back(printable(known_name));
  fail(ExitCode::usage, "{}: it has no prompt '{}'{}", source, printable(wanted), suggestion(wanted, known));
}

SentenceFiles load_sentence_files(const std::string& folder) {
  SentenceFiles files;
  const fs::path inner = transformer_folder(folder);
  std::string source;
  if (const json object = find_object(folder, inner, "sentence_bert_config.json", source); !object.is_null())
    if (const JsonField length(object, source, "max_seq_length"); length.is_there())
      files.max_length = length.integer(1, 1 << 24);
  const json object = find_object(folder, inner, "config_sentence_transformers.json", source);
  if (object.is_null()) return files;
  if (const JsonField prompts(object, source, "prompts"); prompts.is_there()) {
    if (!prompts.value().is_object()) prompts.fail_as("expected an object of texts by name");
    for (const auto& [name, text] : prompts.value().items()) {
      if (!text.is_string()) prompts.fail_as(fmt::format("'{}' is no text", printable(name)));
      files.prompts[name] = text.get<std::string>();
    }
  }
  if (const JsonField name(object, source, "default_prompt_name"); name.is_there()) {
    files.default_prompt = name.text();
    if (!files.prompts.contains(files.default_prompt))
      name.fail_as(fmt::format("got '{}', which is none of the prompts", printable(files.default_prompt)));
  }
  return files;
}

}  // namespace mgd
