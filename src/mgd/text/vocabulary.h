// Tokens and their ids, looked up by hash without copying the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgd/text/json_place.h"

namespace mgd {

// A fixed set of texts with a value each. Texts are kept by the owner and must outlive the table.
class TextTable {
 public:
  void reserve(std::size_t num_texts);
  void put(std::string_view text, std::uint32_t value);  // replaces the value of a text that is there
  const std::uint32_t* find(std::string_view text) const;
  std::size_t size() const { return size_; }
  std::size_t max_bytes() const { return max_bytes_; }  // of the longest text

 private:
  struct Slot {
    std::string_view text;  // data() == nullptr: empty slot
    std::uint32_t value = 0;
    std::uint32_t hash = 0;
  };
  void grow(std::size_t num_slots);
  std::vector<Slot> slots_;  // a power of two, at most half full
  std::size_t size_ = 0, max_bytes_ = 0;
};

// Ids above this are refused: a table by id must not allocate what no vocabulary needs.
inline constexpr std::int64_t kMaxTokenId = (1 << 24) - 1;

class Vocabulary {
 public:
  Vocabulary() = default;
  // {"token": id, ...}. Throws Error(bad_data) for ids out of range and for two tokens with one id.
  static Vocabulary from_object(const JsonPlace& json);
  // The ids are the places in the list; of equal texts the last one is found.
  static Vocabulary from_list(std::vector<std::string> tokens);

  Vocabulary(Vocabulary&&) noexcept = default;
  Vocabulary& operator=(Vocabulary&&) noexcept = default;

  std::optional<std::uint32_t> find(std::string_view token) const {
    const std::uint32_t* const id = table_.find(token);
    return id == nullptr ? std::nullopt : std::optional(*id);
  }
  const std::string* token(std::int64_t id) const;        // nullptr: no such id
  std::size_t size() const { return size_; }              // number of tokens
  std::size_t num_ids() const { return tokens_.size(); }  // the largest id + 1
  std::size_t max_bytes() const { return table_.max_bytes(); }

 private:
  std::vector<std::string> tokens_;  // by id
  std::vector<bool> used_;
  TextTable table_;
  std::size_t size_ = 0;
};

}  // namespace mgd
