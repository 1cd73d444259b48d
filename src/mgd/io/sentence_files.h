// What sentence-transformers keeps beside an encoder: how long a text may be, and what is put before it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace mgd {

struct SentenceFiles {
  std::int64_t max_length = 0;                 // tokens; 0: not stated
  std::map<std::string, std::string> prompts;  // by name: "query" -> "query: "
  std::string default_prompt;                  // a name; "": none

  // The prompt of that name; "": the default one, "none": no prompt. Error(usage) with the nearest name.
  std::string prompt(const std::string& name, const std::string& source) const;
};

// sentence_bert_config.json and config_sentence_transformers.json of a model folder, or of the subfolder that
// holds its Transformer; nothing where they are not there. Throws Error(bad_data) for what they should not
// hold.
SentenceFiles load_sentence_files(const std::string& folder);

}  // namespace mgd
