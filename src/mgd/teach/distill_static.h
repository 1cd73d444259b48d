// A static model from a sentence encoder, without training: one vector a token of its vocabulary, no layers.
//
// Tulkens and van Dongen 2024, "Model2Vec": the vectors of single tokens, their principal components, and a
// weight for each by how frequent it is.
#pragma once

#include <functional>
#include <string>

#include "mgd/core/file.h"
#include "mgd/format/options.h"

namespace mgd {

struct StaticOptions {
  std::string vectors = "output";     // the encoder's answer to each token, or the row that it reads: input
  std::int64_t components = 256;      // 0: the vectors as they are
  std::string weights = "zipf";       // zipf | none
  std::string counts;                 // a text file whose counts stand in place of Zipf's law; "": none
  double sif = 1e-4;                  // a of a / (a + p)
  std::string vocabulary = "pruned";  // pruned | whole: every token of the encoder keeps its id
  std::string device = "cpu";         // no flag of its own
  void visit(OptionVisitor& v);
};

struct StaticOutcome {
  std::int64_t tokens = 0, width = 0;        // of the table
  std::int64_t placeholders = 0, added = 0;  // tokens of the encoder that have no vector
  std::int64_t unseen = 0;                   // tokens that `counts` does not hold
  double explained = 1;                      // of the variance, by the components
  std::int64_t bytes = 0;
  double seconds = 0;
};

// Published whole at `out`, where a folder that stands there is replaced. `note` is told what is done, and
// what is dropped. Error(usage) before any computing for a teacher that is no sentence encoder, and for
// components beyond its width or its vocabulary.
StaticOutcome distill_static(const std::string& teacher, const fs::path& out, const StaticOptions& options,
                             const std::function<void(const std::string&)>& note);

}  // namespace mgd
