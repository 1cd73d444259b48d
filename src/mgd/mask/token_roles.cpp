#include "mgd/mask/token_roles.h"

#include <string_view>

namespace mgd {

namespace {

bool is_full_stop_text(std::string_view text) {
  const auto begin = text.find_first_not_of(" \n\t\r");
  return begin != std::string_view::npos &&
         text.substr(begin, text.find_last_not_of(" \n\t\r") - begin + 1) == ".";
}

std::int64_t first_of(std::initializer_list<std::int64_t> ids) {
  for (const std::int64_t id : ids)
    if (id >= 0) return id;
  return -1;
}

}  // namespace

TokenRoles roles_of(const Tokenizer& tokenizer) {
  const SpecialTokens& special = tokenizer.special_tokens();
  const auto size = static_cast<std::size_t>(tokenizer.vocab_size());
  TokenRoles roles{.mask = special.mask,
                   .decoder_start = first_of({special.eos, special.sep, special.bos, special.cls}),
                   .special = std::vector<bool>(size),
                   .full_stop = std::vector<bool>(size),
                   .ordinary = {}};
  for (const std::int64_t id : tokenizer.special_ids()) roles.special[static_cast<std::size_t>(id)] = true;
  for (const std::int64_t id :
       {special.pad, special.unk, special.cls, special.sep, special.mask, special.bos, special.eos})
    if (id >= 0) roles.special[static_cast<std::size_t>(id)] = true;
  for (std::int64_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (roles.is_special(id) || !tokenizer.has_id(id)) continue;
    roles.ordinary.push_back(id);
    roles.full_stop[static_cast<std::size_t>(id)] = is_full_stop_text(tokenizer.decode({&id, 1}));
  }
  return roles;
}

}  // namespace mgd
