// A tokenised corpus on disk: tokens laid end to end, and where its documents begin.
//
// A folder with manifest.json and
//   tokens.bin     ids, 16 bits wide when the vocabulary allows, else 32 (little-endian, as all of them)
//   words.bin      a bit a token: 1 where a word begins
//   documents.bin  64-bit places in tokens.bin, one more than there are documents
//   targets.bin    a double a row, when rows have targets: a score, or the place of the label in `labels`
//   store.json     StoreInfo
// Tokens are read when they are asked for, so a corpus may be larger than memory; a document takes 8 bytes of
// memory.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mgd/core/input_file.h"
#include "mgd/data/text_frame.h"

namespace mgd {

struct StoreInfo {
  std::int64_t vocab_size = 0;
  std::int64_t texts_per_row = 1;  // 2: documents 2 i and 2 i + 1 are a pair
  bool has_targets = false;
  std::vector<std::string> labels;  // in the order of their first appearance
  std::int64_t num_rows = 0;
  std::int64_t num_cut = 0;                    // documents above the limit, tokenised in parts
  std::int64_t num_invalid = 0;                // places that are no UTF-8, read as U+FFFD
  std::int64_t num_blank = 0;                  // blank lines that were no documents
  std::int64_t num_empty = 0;                  // texts without a single token of their own
  std::int64_t num_corrupt = 0;                // rows left out
  std::map<std::string, std::string> corrupt;  // the first of them: "FILE:LINE" -> what is wrong
};

class TokenStore {
 public:
  // Throws Error(bad_data) when the files do not fit together. Checks no hashes: verify_manifest does.
  explicit TokenStore(const fs::path& folder);

  const StoreInfo& info() const { return info_; }
  std::int64_t num_documents() const { return static_cast<std::int64_t>(places_.size()) - 1; }
  std::int64_t num_tokens() const { return places_.back(); }
  std::int64_t begin(std::int64_t document) const { return places_[static_cast<std::size_t>(document)]; }
  std::int64_t length(std::int64_t document) const { return begin(document + 1) - begin(document); }
  double target(std::int64_t row) const { return targets_[static_cast<std::size_t>(row)]; }

  // Tokens [first, first + count) of all. From any thread. Throws Error(io), and Error(bad_data) for an id
  // outside the vocabulary.
  TokenPiece read(std::int64_t first, std::int64_t count) const;
  std::int64_t id_at(std::int64_t place) const;

 private:
  void read_ids(std::int64_t first, std::int64_t count, std::vector<std::int64_t>& ids) const;
  StoreInfo info_;
  std::vector<std::int64_t> places_;
  std::vector<double> targets_;
  InputFile tokens_, words_;
  std::size_t width_;  // bytes of an id
};

// Writes one, in bounded memory.
class TokenStoreWriter {
 public:
  TokenStoreWriter(const fs::path& folder, StoreInfo info);
  ~TokenStoreWriter();

  void add(const TokenPiece& piece);  // to the document at hand
  void end_document();
  void add_target(double target);
  StoreInfo& info();

  void publish();  // the folder stands whole, or nothing does

 private:
  struct Files;
  std::unique_ptr<Files> files_;
};

}  // namespace mgd
