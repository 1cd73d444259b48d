// Corpora whose documents have columns.
#pragma once

#include "mgd/data/corpus.h"

namespace mgd {

// jsonl, csv and tsv of open_corpus.
std::unique_ptr<CorpusReader> open_rows(const fs::path& path, const CorpusOptions& options);

}  // namespace mgd
