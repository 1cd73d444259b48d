#include "mgd/task/same_vocabulary.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/text/tokenizer_files.h"

namespace mgd {

namespace {

// "" for an id that nothing has.
std::string entry_of(const Tokenizer& tokenizer, std::int64_t id) {
  return tokenizer.has_id(id) ? tokenizer.token_of(id) : "";
}

}  // namespace

std::string vocabulary_fingerprint(const Tokenizer& tokenizer) {
  std::string all;
  for (std::int64_t id = 0; id < tokenizer.vocab_size(); ++id) all += entry_of(tokenizer, id) + '\0';
  constexpr std::size_t kShown = 12;
  return sha256_hex(all).substr(0, kShown);
}

void require_same_vocabulary(const Tokenizer& used, const fs::path& used_from, const std::string& folder,
                             const std::string& role) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored) || !holds_tokenizer(folder) ||
      fs::equivalent(folder, used_from, ignored))
    return;
  const Tokenizer own = Tokenizer::load(folder);
  for (std::int64_t id = 0; id < std::min(own.vocab_size(), used.vocab_size()); ++id) {
    const std::string theirs = entry_of(own, id), ours = entry_of(used, id);
    if (theirs == ours) continue;
    fail(ExitCode::usage,
         "{}: {} reads another vocabulary ({}, {} entries) than the tokenizer in use, that of {} ({}, {} "
         "entries): "
         "{} is '{}' there and '{}' here; teacher and student must read the same tokens",
         role, folder, vocabulary_fingerprint(own), own.vocab_size(), used_from.string(),
         vocabulary_fingerprint(used), used.vocab_size(), id, printable(theirs), printable(ours));
  }
}

}  // namespace mgd
