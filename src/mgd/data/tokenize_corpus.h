// Text files -> a token store, made once and kept.
#pragma once

#include "mgd/data/corpus.h"
#include "mgd/data/token_store.h"

namespace mgd {

struct StoreRequest {
  std::vector<fs::path> files;  // in this order
  CorpusOptions corpus;         // format: `auto` is decided file by file
  // Causal models: the special tokens are part of the documents, which also end in the end token where the
  // vocabulary has one.
  bool whole_documents = false;
  std::string prompt;  // put before each text
};

struct OpenedStore {
  std::shared_ptr<const TokenStore> store;
  std::string key;      // SHA-256 over the tokenizer, the bytes of the files, and the request
  std::string rebuilt;  // why a store that was there is not used; "" otherwise
  bool made = false;    // false: one that was there is used
};

// The store of `request` in CACHE_DIR/KEY: one that is there and verifies, otherwise a new one, published
// whole. A document that cannot be tokenised or read is left out and counted; above max(1, 1 %) of them it is
// Error(bad_data), as are files without any document. Memory does not grow with the size of the files but by
// 8 bytes a document. Throws like open_corpus and DirectoryPublisher.
OpenedStore open_token_store(const StoreRequest& request, const Tokenizer& tokenizer,
                             const fs::path& cache_dir);

}  // namespace mgd
