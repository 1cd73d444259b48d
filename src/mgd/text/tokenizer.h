// A tokenizer as tokenizer.json describes it: text to ids with offsets, and back.
//
//   const Tokenizer tokenizer = Tokenizer::load("bert-base-uncased/");
//   const Encoding encoding = tokenizer.encode("a text", {.max_length = 128});
//   tokenizer.decode(encoding.ids);
//
// Ids, pieces, offsets and decoded text are those of the `tokenizers` package (0.22). A component of the file
// that is not known here is refused by name, never approximated.
//
// Text is UTF-8. Bytes that are none count as U+FFFD, one for each maximal part of a character (as in the
// Unicode standard, 3.9); a NUL is a character like any other.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mgd/core/file.h"
#include "mgd/text/encoding.h"
#include "mgd/text/special_tokens.h"

namespace mgd {

class Tokenizer {
 public:
  // A tokenizer.json, or a folder that holds one (of sentence-transformers: also in the subfolder of its
  // Transformer), or BERT's vocab.txt. tokenizer_config.json and special_tokens_map.json beside it name the
  // special tokens, and what transformers changes by them is changed (text/tokenizer_settings.h). Throws
  // Error(missing_input) when it is not there and Error(bad_data), with the place in the file, for anything
  // that it should not hold.
  static Tokenizer load(const fs::path& path);

  // From the text of a tokenizer.json; `source` names it in messages.
  static Tokenizer from_json(std::string_view json, const std::string& source);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // All const members may be called from several threads at once. An empty text gives the special tokens
  // alone. Throws Error(bad_data) when the text cannot be tokenised: no unknown token where one is needed, a
  // pattern of the file that runs beyond its match limit, a text above 32 MiB.
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  Encoding encode_pair(std::string_view first, std::string_view second,
                       const EncodeOptions& options = {}) const;

  // The words that the model sees, normalised, without the added tokens between them.
  std::vector<std::string> words(std::string_view text) const;

  // Ids outside the vocabulary are skipped, as the package does.
  std::string decode(std::span<const std::int64_t> ids, bool skip_special = true) const;

  std::optional<std::int64_t> id_of(std::string_view token) const;
  const std::string& token_of(std::int64_t id) const;  // throws Error(usage) outside the vocabulary
  bool has_id(std::int64_t id) const;                  // ids may have gaps
  std::int64_t vocab_size() const;                     // the largest id + 1, added tokens included
  std::optional<std::int64_t> unknown_id() const;      // what its model puts for what it does not know
  bool is_special(std::int64_t id) const;
  std::vector<std::int64_t> special_ids() const;  // ascending

  const SpecialTokens& special_tokens() const;
  const std::string& to_json() const;  // the tokenizer.json that it was made from

 private:
  struct Parts;
  explicit Tokenizer(std::unique_ptr<const Parts> parts);
  static Tokenizer read(std::string_view json, const std::string& source, const fs::path& folder);
  Encoding encode_texts(std::span<const std::string_view> texts, const EncodeOptions& options) const;
  std::unique_ptr<const Parts> parts_;
};

// Decodes a growing sequence and gives each piece of text once, as soon as it is final: never half of a
// character.
class DecodeStream {
 public:
  explicit DecodeStream(const Tokenizer& tokenizer, bool skip_special = true);
  std::string push(std::int64_t id);  // the new text; "" while a character is incomplete
  std::string finish();               // what is left, incomplete characters as U+FFFD

 private:
  std::string advance(const std::string& text);
  const Tokenizer& tokenizer_;
  bool skip_special_;
  std::vector<std::int64_t> ids_;  // of the last piece of text given and after it
  std::string prefix_;             // text of the first prefix_ids_ of them
  std::size_t prefix_ids_ = 0;
};

}  // namespace mgd
