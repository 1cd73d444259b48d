#include "mgd/text/vocabulary.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// Multiply and fold, eight bytes at a time. Files come from anywhere, but a table is built once a file and
// half empty: texts that collide on purpose make its owner's own tokenizer slow, no more.
std::uint32_t hash_of(std::string_view text) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15u;
  std::uint64_t h = text.size() * kOdd;
  const char* p = text.data();
  std::size_t left = text.size();
  const auto mix = [&](std::uint64_t word) {
    const auto product = static_cast<unsigned __int128>(h ^ word) * kOdd;
    h = static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  };
  for (; left >= 8; p += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    mix(word);
  }
  std::uint64_t tail = 0;
  for (std::size_t i = 0; i < left; ++i)
    tail |= static_cast<std::uint64_t>(static_cast<unsigned char>(p[i])) << (8 * i);
  mix(tail);
  return static_cast<std::uint32_t>(h ^ h >> 32);
}

}  // namespace

void TextTable::reserve(std::size_t num_texts) {
  std::size_t num_slots = 16;
  while (num_slots < 2 * num_texts) num_slots *= 2;
  if (num_slots > slots_.size()) grow(num_slots);
}

void TextTable::grow(std::size_t num_slots) {
  std::vector<Slot> old(num_slots);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.text.data() == nullptr) continue;
    std::size_t at = slot.hash & (slots_.size() - 1);
    while (slots_[at].text.data() != nullptr) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }
}

void TextTable::put(std::string_view text, std::uint32_t value) {
  if (2 * (size_ + 1) > slots_.size()) grow(std::max<std::size_t>(16, 2 * slots_.size()));
  const std::uint32_t hash = hash_of(text);
  std::size_t at = hash & (slots_.size() - 1);
  for (; slots_[at].text.data() != nullptr; at = (at + 1) & (slots_.size() - 1))
    if (slots_[at].hash == hash && slots_[at].text == text) {
      slots_[at].value = value;
      return;
    }
  slots_[at] = {text, value, hash};
  ++size_;
  max_bytes_ = std::max(max_bytes_, text.size());
}

const std::uint32_t* TextTable::find(std::string_view text) const {
  if (slots_.empty() || text.size() > max_bytes_) return nullptr;
  const std::uint32_t hash = hash_of(text);
  for (std::size_t at = hash & (slots_.size() - 1); slots_[at].text.data() != nullptr;
       at = (at + 1) & (slots_.size() - 1))
    if (slots_[at].hash == hash && slots_[at].text == text) return &slots_[at].value;
  return nullptr;
}

Vocabulary Vocabulary::from_object(const JsonPlace& json) {
  Vocabulary out;
  std::size_t num_ids = 0;
  for (const auto& [token, value] : json.object().items()) {
    const JsonPlace entry(value, fmt::format("{}['{}']", json.place(), printable(token)));
    const auto id = static_cast<std::size_t>(entry.integer(0, kMaxTokenId));
    if (id >= out.tokens_.size()) {
      out.tokens_.resize(id + 1);
      out.used_.resize(id + 1);
    }
    if (out.used_[id])
      entry.refuse(fmt::format("the id {} is that of '{}' as well", id, printable(out.tokens_[id])));
    out.used_[id] = true;
    out.tokens_[id] = token;
    ++num_ids;
  }
  out.size_ = num_ids;
  out.table_.reserve(num_ids);
  for (std::size_t id = 0; id < out.tokens_.size(); ++id)
    if (out.used_[id]) out.table_.put(out.tokens_[id], static_cast<std::uint32_t>(id));
  return out;
}

Vocabulary Vocabulary::from_list(std::vector<std::string> tokens) {
  Vocabulary out;
  out.tokens_ = std::move(tokens);
  out.used_.assign(out.tokens_.size(), true);
  out.size_ = out.tokens_.size();
  out.table_.reserve(out.tokens_.size());
  for (std::size_t id = 0; id < out.tokens_.size(); ++id)
    out.table_.put(out.tokens_[id], static_cast<std::uint32_t>(id));
  return out;
}

const std::string* Vocabulary::token(std::int64_t id) const {
  const auto at = static_cast<std::size_t>(id);
  return id >= 0 && at < tokens_.size() && used_[at] ? &tokens_[at] : nullptr;
}

}  // namespace mgd
