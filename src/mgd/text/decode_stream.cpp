#include "mgd/text/tokenizer.h"
#include "mgd/text/utf8.h"

namespace mgd {

DecodeStream::DecodeStream(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(tokenizer), skip_special_(skip_special) {}

// A token's text can depend on those before it (spaces, half characters), so the last piece given is decoded
// again with what is new, and its own text taken off. Text that ends in U+FFFD may be half a character.
std::string DecodeStream::push(std::int64_t id) {
  if (prefix_.empty() && !ids_.empty()) {
    std::string decoded = tokenizer_.decode(ids_, skip_special_);
    if (!decoded.ends_with(to_utf8(kReplacementCharacter))) {
      prefix_ = std::move(decoded);
      prefix_ids_ = ids_.size();
    }
  }
  ids_.push_back(id);
  const std::string text = tokenizer_.decode(ids_, skip_special_);
  if (text.size() <= prefix_.size() || text.ends_with(to_utf8(kReplacementCharacter))) return "";
  return advance(text);
}

std::string DecodeStream::finish() {
  const std::string text = tokenizer_.decode(ids_, skip_special_);
  return text.size() <= prefix_.size() ? "" : advance(text);
}

// Gives what `text` has behind the prefix; its tokens are the next prefix.
std::string DecodeStream::advance(const std::string& text) {
  std::string fresh = text.substr(prefix_.size());
  const std::size_t num_new = ids_.size() - prefix_ids_;
  ids_.erase(ids_.begin(), ids_.begin() + static_cast<std::ptrdiff_t>(prefix_ids_));
  prefix_ = tokenizer_.decode(ids_, skip_special_);
  prefix_ids_ = num_new;
  return fresh;
}

}  // namespace mgd
