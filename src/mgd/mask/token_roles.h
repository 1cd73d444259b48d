// What an objective has to know of a vocabulary.
#pragma once

#include <cstdint>
#include <vector>

#include "mgd/text/tokenizer.h"

namespace mgd {

struct TokenRoles {
  std::int64_t mask = -1;              // -1: there is none
  std::int64_t decoder_start = -1;     // what a decoder reads first
  std::vector<bool> special;           // by id: never hidden, never drawn
  std::vector<bool> full_stop;         // by id: ends a sentence
  std::vector<std::int64_t> ordinary;  // the ids that are not special: a random token is one of them

  bool is_special(std::int64_t id) const { return at(special, id); }
  bool is_full_stop(std::int64_t id) const { return at(full_stop, id); }

 private:
  static bool at(const std::vector<bool>& flags, std::int64_t id) {
    return id >= 0 && id < static_cast<std::int64_t>(flags.size()) && flags[static_cast<std::size_t>(id)];
  }
};

// A decoder starts with the end token, as BART's does (then [SEP], then the start token, where there is no
// such token).
TokenRoles roles_of(const Tokenizer& tokenizer);

}  // namespace mgd
