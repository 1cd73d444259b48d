#include "mgd/data/token_store.h"

#include <bit>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/publish.h"

namespace mgd {

static_assert(std::endian::native == std::endian::little);

namespace {

using nlohmann::json;

std::size_t width_of(std::int64_t vocab_size) {
  return vocab_size <= (std::int64_t{1} << 16) ? 2 : 4;
}

[[noreturn]] void damaged(const fs::path& file, const std::string& what) {
  fail(ExitCode::bad_data, "{}: {}", file.string(), what);
}

StoreInfo read_info(const fs::path& file) {
  try {
    const json j = json::parse(read_file(file, std::uint64_t{1} << 28));
    return {.vocab_size = j.at("vocab_size"),
            .texts_per_row = j.at("texts_per_row"),
            .has_targets = j.at("has_targets"),
            .labels = j.at("labels"),
            .num_rows = j.at("num_rows"),
            .num_cut = j.at("num_cut"),
            .num_invalid = j.at("num_invalid"),
            .num_blank = j.at("num_blank"),
            .num_empty = j.at("num_empty"),
            .num_corrupt = j.at("num_corrupt"),
            .corrupt = j.at("corrupt")};
  } catch (const json::exception&) {
    damaged(file, "not the description of a token store");
  }
}

template <class T>
std::vector<T> read_all(const fs::path& path) {
  const InputFile file(path);
  if (file.size() % sizeof(T) != 0)
    damaged(path, fmt::format("{} bytes are no whole number of entries", file.size()));
  std::vector<T> values(file.size() / sizeof(T));
  file.read_at(0, values.data(), file.size());
  return values;
}

}  // namespace

TokenStore::TokenStore(const fs::path& folder)
    : info_(read_info(folder / "store.json")),
      places_(read_all<std::int64_t>(folder / "documents.bin")),
      tokens_(folder / "tokens.bin"),
      words_(folder / "words.bin"),
      width_(width_of(info_.vocab_size)) {
  if (info_.has_targets) targets_ = read_all<double>(folder / "targets.bin");
  if (places_.empty() || places_.front() != 0) damaged(folder / "documents.bin", "does not begin at 0");
  for (std::size_t d = 1; d < places_.size(); ++d)
    if (places_[d] < places_[d - 1]) damaged(folder / "documents.bin", "places go back");
  const auto bytes = static_cast<std::uint64_t>(num_tokens()) * width_;
  if (tokens_.size() != bytes)
    damaged(tokens_.path(), fmt::format("{} bytes, expected {}", tokens_.size(), bytes));
  if (words_.size() != static_cast<std::uint64_t>((num_tokens() + 7) / 8))
    damaged(words_.path(), fmt::format("{} bytes, expected {}", words_.size(), (num_tokens() + 7) / 8));
  if (info_.texts_per_row < 1 || info_.texts_per_row > 2 ||
      num_documents() != info_.num_rows * info_.texts_per_row ||
      (info_.has_targets && targets_.size() != static_cast<std::size_t>(info_.num_rows)))
    damaged(folder / "store.json", "does not fit its files");
}

void TokenStore::read_ids(std::int64_t first, std::int64_t count, std::vector<std::int64_t>& ids) const {
  MGD_ASSERT(first >= 0 && count >= 0 && first + count <= num_tokens());
  const auto n = static_cast<std::size_t>(count);
  ids.resize(n);
  const auto decode = [&](auto* buffer) {
    tokens_.read_at(static_cast<std::uint64_t>(first) * width_, buffer, n * width_);
    for (std::size_t i = 0; i < n; ++i) {
      ids[i] = buffer[i];
      if (ids[i] >= info_.vocab_size)
        damaged(tokens_.path(), fmt::format("token {}: got the id {}, expected less than {}",
                                            first + static_cast<std::int64_t>(i), ids[i], info_.vocab_size));
    }
  };
  if (width_ == 2) {
    std::vector<std::uint16_t> buffer(n);
    decode(buffer.data());
  } else {
    std::vector<std::uint32_t> buffer(n);
    decode(buffer.data());
  }
}

TokenPiece TokenStore::read(std::int64_t first, std::int64_t count) const {
  TokenPiece piece;
  read_ids(first, count, piece.ids);
  const std::int64_t first_byte = first / 8, end_byte = (first + count + 7) / 8;
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(end_byte - first_byte));
  words_.read_at(static_cast<std::uint64_t>(first_byte), bits.data(), bits.size());
  piece.word_start.resize(piece.ids.size());
  for (std::size_t i = 0; i < piece.ids.size(); ++i) {
    const auto bit = static_cast<std::size_t>(first - first_byte * 8) + i;
    piece.word_start[i] = (bits[bit / 8] >> (bit % 8)) & 1;
  }
  return piece;
}

std::int64_t TokenStore::id_at(std::int64_t place) const {
  std::vector<std::int64_t> id;
  read_ids(place, 1, id);
  return id[0];
}

struct TokenStoreWriter::Files {
  DirectoryPublisher publisher;
  OutputFile tokens, words, documents, targets;
  StoreInfo info;
  std::size_t width;
  std::int64_t num_tokens = 0;
  std::uint8_t bits = 0;

  Files(const fs::path& folder, StoreInfo i)
      : publisher(folder),
        tokens(publisher.create("tokens.bin")),
        words(publisher.create("words.bin")),
        documents(publisher.create("documents.bin")),
        targets(publisher.create("targets.bin")),
        info(std::move(i)),
        width(width_of(info.vocab_size)) {}

  template <class T>
  static void put(OutputFile& file, T value) {
    file.write({reinterpret_cast<const char*>(&value), sizeof(T)});
  }
};

TokenStoreWriter::TokenStoreWriter(const fs::path& folder, StoreInfo info)
    : files_(std::make_unique<Files>(folder, std::move(info))) {
  Files::put(files_->documents, std::int64_t{0});
}

TokenStoreWriter::~TokenStoreWriter() = default;

StoreInfo& TokenStoreWriter::info() {
  return files_->info;
}

void TokenStoreWriter::add(const TokenPiece& piece) {
  Files& f = *files_;
  for (std::size_t i = 0; i < piece.ids.size(); ++i, ++f.num_tokens) {
    if (f.width == 2)
      Files::put(f.tokens, static_cast<std::uint16_t>(piece.ids[i]));
    else
      Files::put(f.tokens, static_cast<std::uint32_t>(piece.ids[i]));
    const auto bit = static_cast<unsigned>(f.num_tokens % 8);
    f.bits = static_cast<std::uint8_t>(f.bits | (piece.word_start[i] != 0 ? 1U << bit : 0U));
    if (bit == 7) Files::put(f.words, std::exchange(f.bits, std::uint8_t{0}));
  }
}

void TokenStoreWriter::end_document() {
  Files::put(files_->documents, files_->num_tokens);
}

void TokenStoreWriter::add_target(double target) {
  Files::put(files_->targets, target);
}

void TokenStoreWriter::publish() {
  Files& f = *files_;
  if (f.num_tokens % 8 != 0) Files::put(f.words, f.bits);
  for (OutputFile* file : {&f.tokens, &f.words, &f.documents, &f.targets}) f.publisher.add(*file);
  const StoreInfo& i = f.info;
  const json description = {{"version", 1},
                            {"vocab_size", i.vocab_size},
                            {"texts_per_row", i.texts_per_row},
                            {"has_targets", i.has_targets},
                            {"labels", i.labels},
                            {"num_rows", i.num_rows},
                            {"num_tokens", f.num_tokens},
                            {"num_cut", i.num_cut},
                            {"num_invalid", i.num_invalid},
                            {"num_blank", i.num_blank},
                            {"num_empty", i.num_empty},
                            {"num_corrupt", i.num_corrupt},
                            {"corrupt", i.corrupt}};
  f.publisher.add("store.json", description.dump(1, ' ', false, json::error_handler_t::replace));
  f.publisher.publish();
}

}  // namespace mgd
