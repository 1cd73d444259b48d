#include "mgd/data/tokenize_corpus.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "mgd/core/error.h"
#include "mgd/core/publish.h"
#include "mgd/data/text_pieces.h"
#include "mgd/format/composed_name.h"

namespace mgd {

namespace {

constexpr std::int64_t kMaxLabels = 10'000;
constexpr std::size_t kMaxListed = 100;  // corrupt rows by name

TokenPiece piece_of(const Encoding& encoding) {
  TokenPiece piece{.ids = encoding.ids, .word_start = std::vector<std::uint8_t>(encoding.size())};
  for (std::size_t i = 0; i < encoding.size(); ++i)
    piece.word_start[i] = i == 0 || encoding.word_ids[i] != encoding.word_ids[i - 1] ? 1 : 0;
  return piece;
}

// A part of the corpus on its way to the store.
struct Work {
  CorpusPart part;
  std::string place;  // "FILE:LINE"
  std::vector<TokenPiece> pieces;
};

class StoreBuilder {
 public:
  StoreBuilder(const StoreRequest& request, const Tokenizer& tokenizer, const fs::path& folder)
      : request_(request),
        tokenizer_(tokenizer),
        writer_(folder, {.vocab_size = tokenizer.vocab_size(),
                         .texts_per_row = static_cast<std::int64_t>(request.corpus.columns.size()),
                         .has_targets = request.corpus.kind != TargetKind::none}) {
    if (!request.whole_documents) return;
    const TextFrame frame = document_frame(tokenizer);
    before_ = as_piece(frame.before.ids);
    after_ = as_piece(frame.after.ids);
  }

  void build() {
    for (const fs::path& file : request_.files) {
      CorpusOptions options = request_.corpus;
      options.format = corpus_format(file, options.format);
      read(file, options);
    }
    StoreInfo& info = writer_.info();
    if (info.num_rows == 0)
      fail(ExitCode::bad_data, "{}: no documents{}", fmt::join(names(), ", "),
           info.num_corrupt > 0 ? "; " + first_problem() : "");
    const std::int64_t allowed = std::max<std::int64_t>(1, (info.num_rows + info.num_corrupt) / 100);
    if (info.num_corrupt > allowed)
      fail(ExitCode::bad_data, "{}: {} of {} documents cannot be read, at most {} may be left out; {}",
           fmt::join(names(), ", "), info.num_corrupt, info.num_rows + info.num_corrupt, allowed,
           first_problem());
    writer_.publish();
  }

 private:
  static TokenPiece as_piece(const std::vector<std::int64_t>& ids) {
    return {.ids = ids, .word_start = std::vector<std::uint8_t>(ids.size(), 1)};
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const fs::path& file : request_.files) all.push_back(file.string());
    return all;
  }

  std::string first_problem() {
    const auto& [place, what] = *writer_.info().corrupt.begin();
    return fmt::format("{}: {}", place, what);
  }

  // Parts are gathered so that several threads have something to do; the order is that of the file.
  void read(const fs::path& file, const CorpusOptions& options) {
    constexpr std::size_t kGathered = 4 * kMaxPieceBytes;
    const auto reader = open_corpus(file, options);
    std::vector<Work> gathered;
    std::size_t bytes = 0;
    for (Work work; reader->next(work.part); work = {}) {
      work.place = fmt::format("{}:{}", file.filename().string(), work.part.line);
      for (const std::string& text : work.part.texts) bytes += text.size();
      bytes += sizeof(Work);
      gathered.push_back(std::move(work));
      if (bytes < kGathered) continue;
      tokenize(gathered);
      gathered.clear();
      bytes = 0;
    }
    tokenize(gathered);
    writer_.info().num_blank += reader->num_blank();
  }

  void tokenize(std::vector<Work>& gathered) {
    at::parallel_for(0, static_cast<std::int64_t>(gathered.size()), 1,
                     [&](std::int64_t begin, std::int64_t end) {
                       for (std::int64_t i = begin; i < end; ++i)
                         tokenize(gathered[static_cast<std::size_t>(i)]);
                     });
    for (Work& work : gathered) store(work);
  }

  void tokenize(Work& work) const {
    if (!work.part.problem.empty()) return;
    try {
      for (const std::string& text : work.part.texts) {
        const Encoding encoding =
            tokenizer_.encode(request_.prompt + text, {.add_special = false, .file_limits = false});
        work.pieces.push_back(piece_of(encoding));
        work.part.num_invalid += encoding.num_invalid;
      }
    } catch (const Error& error) {
      if (error.code() != ExitCode::bad_data) throw;
      work.part.problem = error.what();
    }
  }

  void store(Work& work) {
    StoreInfo& info = writer_.info();
    info.num_invalid += work.part.num_invalid;
    const double target = work.part.problem.empty() ? target_of(work.part) : 0;
    if (!work.part.problem.empty()) {
      note_problem(work);
      if (work.part.last && !inside_) return;
      work.pieces = {{}};  // the other parts of the document stay
    }
    if (!inside_ && !work.part.last) ++info.num_cut;
    for (const TokenPiece& piece : work.pieces) {
      if (!inside_) writer_.add(before_);
      writer_.add(piece);
      if (!inside_ && work.part.last && piece.ids.empty()) ++info.num_empty;
      inside_ = !work.part.last;
      if (inside_) return;
      writer_.add(after_);
      writer_.end_document();
    }
    if (info.has_targets) writer_.add_target(target);
    ++info.num_rows;
  }

  void note_problem(const Work& work) {
    StoreInfo& info = writer_.info();
    ++info.num_corrupt;
    if (info.corrupt.size() < kMaxListed) info.corrupt[printable(work.place)] = printable(work.part.problem);
  }

  double target_of(CorpusPart& part) {
    if (request_.corpus.kind == TargetKind::none) return 0;
    std::string_view text = part.target;
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    text = text.substr(0, text.find_last_not_of(' ') + 1);
    if (request_.corpus.kind == TargetKind::label) return label_of(composed_name(std::string(text)), part);
    double score = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), score);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(score))
      part.problem = fmt::format("{}: got '{}', expected a number", request_.corpus.target, printable(text));
    return score;
  }

  double label_of(const std::string& name, CorpusPart& part) {
    std::vector<std::string>& labels = writer_.info().labels;
    if (name.empty()) {
      part.problem = fmt::format("{}: got nothing, expected a label", request_.corpus.target);
      return 0;
    }
    const auto [place, fresh] = places_.try_emplace(name, labels.size());
    if (fresh) labels.push_back(name);
    if (static_cast<std::int64_t>(labels.size()) > kMaxLabels)
      fail(ExitCode::bad_data, "{}: column '{}' holds more than {} labels; is it another one?",
           fmt::join(names(), ", "), request_.corpus.target, kMaxLabels);
    return static_cast<double>(place->second);
  }

  const StoreRequest& request_;
  const Tokenizer& tokenizer_;
  TokenStoreWriter writer_;
  TokenPiece before_, after_;
  std::unordered_map<std::string, std::size_t> places_;  // of the labels
  bool inside_ = false;                                  // a document whose parts go on
};

std::string key_of(const StoreRequest& request, const Tokenizer& tokenizer) {
  constexpr int kVersion = 2;
  const CorpusOptions& corpus = request.corpus;
  const SpecialTokens& special = tokenizer.special_tokens();
  std::string text =
      fmt::format("{}\ntokenizer {} eos {}\n{} {} {} {} {}\n", kVersion, sha256_hex(tokenizer.to_json()),
                  special.eos, fmt::join(corpus.columns, "\t"), corpus.target, static_cast<int>(corpus.kind),
                  request.whole_documents, sha256_hex(request.prompt));
  for (const fs::path& file : request.files)
    text += fmt::format("{} {}\n", corpus_format(file, corpus.format), sha256_file(file));
  return sha256_hex(text);
}

}  // namespace

OpenedStore open_token_store(const StoreRequest& request, const Tokenizer& tokenizer,
                             const fs::path& cache_dir) {
  MGD_ASSERT(!request.files.empty());
  OpenedStore opened{.store = nullptr, .key = key_of(request, tokenizer), .rebuilt = {}, .made = false};
  const fs::path folder = cache_dir / opened.key;
  std::error_code error;
  if (fs::exists(folder, error)) {
    opened.rebuilt = verify_manifest(folder);
    if (opened.rebuilt.empty()) {
      opened.store = std::make_shared<TokenStore>(folder);
      return opened;
    }
  }
  fs::create_directories(cache_dir, error);
  if (error) fail(ExitCode::cannot_create, "{}: cannot be created: {}", cache_dir.string(), error.message());
  remove_stale_staging(cache_dir);
  StoreBuilder(request, tokenizer, folder).build();
  opened.made = true;
  opened.store = std::make_shared<TokenStore>(folder);
  return opened;
}

}  // namespace mgd
