#include "mgd/data/text_dataset.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <unordered_map>

#include "mgd/core/error.h"
#include "mgd/data/text_files.h"
#include "mgd/data/tokenize_corpus.h"
#include "mgd/text/tokenizer_files.h"

namespace mgd {

namespace {

struct SplitFiles {
  std::vector<fs::path> train, validation, test;
  std::map<std::string, std::int64_t> unread;  // other files of the folders, by ending
};

[[noreturn]] void no_such_split(const fs::path& folder, const std::string& key, const std::string& name) {
  std::vector<std::string> shown;
  for (const std::string& n : names_in(folder)) shown.push_back(printable(n));
  fail(ExitCode::missing_input, "{}: there is no {} '{}'{}{}", folder.string(), key, printable(name),
       key.starts_with("data.") ? " (eval: --split)" : "", suggestion(name, shown));
}

SplitFiles find_files(const Config& config) {
  const fs::path path = config.data.path;
  if (path.empty()) fail(ExitCode::usage, "data.path: no data given; write data: {{path: FILE_OR_FOLDER}}");
  if (!fs::exists(path))
    fail(ExitCode::missing_input, "data.path: {}: no such file or folder", path.string());
  const bool is_folder = fs::is_directory(path);
  const fs::path folder = is_folder ? path : parent_of(path);
  SplitFiles found;
  const auto find = [&](const std::string& key, const std::string& name, bool required) {
    std::vector<fs::path> files =
        name.empty() ? std::vector<fs::path>{} : split_files(folder, name, &found.unread);
    if (files.empty() && !name.empty() && required) no_such_split(folder, key, name);
    return files;
  };
  const bool default_test = config.data.test == DataConfig{}.test;
  found.train = is_folder ? find("data.train", config.data.train, true) : std::vector<fs::path>{path};
  found.validation = find("text.validation", config.text.validation, true);
  found.test = find("data.test", config.data.test, !default_test);
  return found;
}

std::vector<std::int64_t> all_rows(std::int64_t n) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(n));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::optional<double> number_of(const std::string& label) {
  double number = 0;
  const char* const end = label.data() + label.size();
  const auto [stop, error] = std::from_chars(label.data(), end, number);
  return error == std::errc{} && stop == end && std::isfinite(number) ? std::optional(number) : std::nullopt;
}

// The class of each label, and the names of the classes: the labels that are there, numbers in their order.
struct Classes {
  std::vector<std::string> names;
  std::map<std::string, std::int64_t> of;

  Classes(const std::vector<std::string>& labels, const std::string& target) : names(labels) {
    const bool numbers =
        std::all_of(labels.begin(), labels.end(), [](const std::string& label) { return number_of(label); });
    for (const std::string& label : labels)
      if (numbers && std::floor(*number_of(label)) != *number_of(label))
        fail(ExitCode::bad_data,
             "text.target: column '{}' holds {} numbers such as {}, which are scores and no classes; task "
             "embed learns "
             "the scores of pairs (regression on single texts is not supported)",
             target, labels.size(), printable(label));
    std::sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
      return numbers && *number_of(a) != *number_of(b) ? *number_of(a) < *number_of(b) : a < b;
    });
    for (std::size_t c = 1; c < names.size(); ++c)
      if (numbers && *number_of(names[c - 1]) == *number_of(names[c]))
        fail(
            ExitCode::bad_data,
            "text.target: column '{}' holds '{}' and '{}', one number that would be two classes; write it in "
            "one way",
            target, printable(names[c - 1]), printable(names[c]));
    for (std::size_t c = 0; c < names.size(); ++c) of[names[c]] = static_cast<std::int64_t>(c);
  }

  std::vector<std::int64_t> of_store(const StoreInfo& info, const std::string& split) const {
    std::vector<std::int64_t> classes;
    for (const std::string& label : info.labels) {
      const auto found = of.find(label);
      if (found == of.end())
        fail(ExitCode::bad_data, "data: the {} split has the label '{}', which no training document has",
             split, printable(label));
      classes.push_back(found->second);
    }
    return classes;
  }
};

class TextOpener {
 public:
  TextOpener(const Config& config, const Tokenizer& tokenizer, const fs::path& cache_dir)
      : config_(config), tokenizer_(tokenizer), cache_dir_(cache_dir) {}

  TextDataset open() {
    const SplitFiles files = find_files(config_);
    note_unread(files.unread);
    const auto train = open_store(files.train, "train");
    const auto validation = open_store(files.validation, "validation");
    const auto test = open_store(files.test, "test");
    if (config_.task == "classify" && train->info().has_targets)
      classes_ = std::make_unique<Classes>(train->info().labels, config_.text.target);
    if (classes_) out_.class_names = classes_->names;
    double held_out = validation ? 0 : config_.data.validation;
    if (config_.task == "embed" && held_out > 0 && !train->info().has_targets) {
      held_out = 0;
      out_.notes.emplace_back(
          "the training texts have no scores, so none are held out; text.validation names pairs with scores");
    }
    auto [kept, held] = divide(*train, held_out);
    if (classes_ && config_.data.per_class > 0) keep_first(*train, kept.rows);
    out_.train = samples(train, kept, "train", true);
    if (validation) out_.validation = samples(validation, whole(*validation), "validation", false);
    if (held_out > 0) out_.validation = samples(train, held, "train", false);
    if (test) out_.test = samples(test, whole(*test), "test", false);
    if (out_.train->size() == 0)
      fail(ExitCode::bad_data, "data.path: {}: no training samples; are the documents empty?",
           config_.data.path);
    if (out_.validation && out_.validation->size() == 0) out_.validation = nullptr;
    if (labelled()) {
      if (validation) note_shared(*train, kept.rows, *validation, whole(*validation).rows, "validation");
      if (held_out > 0) note_shared(*train, kept.rows, *train, held.rows, "validation");
      // A measure alone opens one split as both.
      if (test && files.test != files.train) note_shared(*train, kept.rows, *test, whole(*test).rows, "test");
    }
    note_cut(out_.train.get(), "training");
    note_cut(out_.test.get(), "test");
    out_.fingerprint = sha256_hex(fmt::format("{}{} {} {} {}", identity_, config_.text.samples,
                                              config_.text.max_length, config_.task, held_out));
    return std::move(out_);
  }

 private:
  // Of a store: documents (rows), or a range of tokens for blocks.
  struct Part {
    std::vector<std::int64_t> rows;
    std::int64_t begin = 0, end = 0;
  };

  bool in_blocks() const { return config_.text.samples == "blocks"; }
  bool labelled() const { return config_.task == "classify" || config_.task == "embed"; }

  std::shared_ptr<const TokenStore> open_store(const std::vector<fs::path>& files, const std::string& split) {
    if (files.empty()) return nullptr;
    StoreRequest request{
        .files = files, .corpus = {.format = config_.text.format}, .prompt = config_.text.prompt};
    if (!config_.text.columns.empty()) request.corpus.columns = config_.text.columns;
    request.corpus.target = config_.text.target;
    if (config_.task == "embed" && is_plain(request))
      request.corpus.columns.resize(1);  // texts without scores, for losses that need none
    else if (labelled() && !config_.text.target.empty())
      request.corpus.kind = config_.task == "classify" ? TargetKind::label : TargetKind::score;
    request.whole_documents = config_.task == "clm";
    require_rows(request);
    OpenedStore opened = open_token_store(request, tokenizer_, cache_dir_);
    identity_ += split + " " + opened.key + "\n";
    if (!opened.rebuilt.empty())
      out_.notes.push_back(
          fmt::format("{} corpus: the kept tokens are damaged ({}); tokenised again", split, opened.rebuilt));
    report(opened.store->info(), files, split);
    return opened.store;
  }

  static bool has_columns(const std::string& format) {
    return format == "jsonl" || format == "csv" || format == "tsv";
  }
  static bool is_plain(const StoreRequest& request) {
    return std::none_of(request.files.begin(), request.files.end(), [&](const fs::path& file) {
      return has_columns(corpus_format(file, request.corpus.format));
    });
  }

  // Plain text has neither pairs nor targets.
  void require_rows(const StoreRequest& request) const {
    if (request.corpus.kind == TargetKind::none && request.corpus.columns.size() < 2) return;
    for (const fs::path& file : request.files) {
      const std::string format = corpus_format(file, request.corpus.format);
      if (!has_columns(format))
        fail(ExitCode::usage, "text.format: got {} for {}, but task {} needs columns; use jsonl, csv or tsv",
             format, file.string(), config_.task);
    }
  }

  void note_unread(const std::map<std::string, std::int64_t>& unread) {
    std::vector<std::string> kinds;
    for (const auto& [ending, count] : unread)
      kinds.push_back(fmt::format("{} {}", count, ending.empty() ? "without an ending" : printable(ending)));
    if (!kinds.empty())
      out_.notes.push_back(fmt::format("files of other kinds are not read: {}", fmt::join(kinds, ", ")));
  }

  // Figures on what was learned tell of memory. Of rows with labels only: lines of plain text come again.
  void note_shared(const TokenStore& train, const std::vector<std::int64_t>& kept, const TokenStore& store,
                   const std::vector<std::int64_t>& rows, const std::string& part) {
    const auto digest = [](const TokenStore& from, std::int64_t row) {
      std::string text;
      for (std::int64_t i = 0; i < from.info().texts_per_row; ++i) {
        const std::int64_t document = row * from.info().texts_per_row + i;
        const auto ids = from.read(from.begin(document), from.length(document)).ids;
        text += fmt::format("{}:", ids.size());
        text.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(ids[0]));
      }
      return sha256_hex(text);
    };
    std::unordered_map<std::string, std::int64_t> measured;  // which are fewer than those that are learned
    for (const std::int64_t row : rows) ++measured[digest(store, row)];
    std::int64_t shared = 0;
    for (const std::int64_t row : kept)
      if (const auto found = measured.find(digest(train, row)); found != measured.end()) {
        shared += found->second;
        measured.erase(found);
      }
    if (shared > 0)
      out_.notes.push_back(fmt::format("{} of {} {} rows {} in the training part too, token for token",
                                       shared, rows.size(), part, shared == 1 ? "is" : "are"));
  }

  // Rows are cut where they are too long; other samples are pieces of which all are read.
  void note_cut(const TextSource* source, const std::string& split) {
    if (source == nullptr || source->num_cut() == 0) return;
    out_.notes.push_back(fmt::format("{} of {} {} rows are longer than {} tokens and lose their {}",
                                     source->num_cut(), source->size(), split, config_.text.max_length,
                                     tokenizer_.special_tokens().cuts_left() ? "beginning" : "end"));
  }

  void report(const StoreInfo& info, const std::vector<fs::path>& files, const std::string& split) {
    const std::string where = fmt::format("{} ({})", split, printable(files.front().filename().string()));
    std::vector<std::string> what;
    if (info.num_invalid > 0)
      what.push_back(fmt::format("{} places that are no UTF-8, read as U+FFFD", info.num_invalid));
    if (info.num_blank > 0) what.push_back(fmt::format("{} blank lines left out", info.num_blank));
    if (info.num_empty > 0) what.push_back(fmt::format("{} texts without a token", info.num_empty));
    if (info.num_cut > 0)
      what.push_back(fmt::format("{} documents tokenised in parts of 1 MiB", info.num_cut));
    if (!what.empty()) out_.changes[where] = fmt::format("{}", fmt::join(what, "; "));
    if (info.num_corrupt > 0)
      out_.unread.push_back({.where = where,
                             .documents = info.num_corrupt,
                             .of = info.num_rows + info.num_corrupt,
                             .first = info.corrupt});
  }

  Part whole(const TokenStore& store) const {
    return {.rows = in_blocks() ? std::vector<std::int64_t>{} : all_rows(store.info().num_rows),
            .begin = 0,
            .end = store.num_tokens()};
  }

  std::pair<Part, Part> divide(const TokenStore& store, double held_out) const {
    Part kept = whole(store), held;
    const auto n = static_cast<double>(kept.end);
    held.end = kept.end;
    held.begin = kept.end = static_cast<std::int64_t>(n * (1 - held_out));
    for (const std::int64_t row : std::exchange(kept.rows, {})) {
      const auto i = static_cast<double>(row);
      (std::floor((i + 1) * held_out) > std::floor(i * held_out) ? held : kept).rows.push_back(row);
    }
    return {std::move(kept), std::move(held)};
  }

  // The first data.per_class rows of each label.
  void keep_first(const TokenStore& store, std::vector<std::int64_t>& rows) const {
    std::map<double, std::int64_t> seen;
    std::erase_if(rows, [&](std::int64_t row) { return ++seen[store.target(row)] > config_.data.per_class; });
  }

  std::shared_ptr<const TextSource> samples(std::shared_ptr<const TokenStore> store, const Part& part,
                                            const std::string& split, bool training) const {
    const StoreInfo& info = store->info();
    TextCorpus corpus{.store = std::move(store),
                      .frame = {},
                      .max_length = config_.text.max_length,
                      .cuts_left = tokenizer_.special_tokens().cuts_left()};
    if (config_.task != "clm") corpus.frame = single_frame(tokenizer_);
    if (labelled()) {
      RowOptions options{.two_sequences = config_.task == "embed"};
      if (info.texts_per_row == 2) options.pair = pair_frame(tokenizer_);
      if (classes_) options.classes = classes_->of_store(info, split);
      return row_samples(std::move(corpus), part.rows, std::move(options));
    }
    if (in_blocks())
      return block_samples(std::move(corpus), {.begin = part.begin,
                                               .end = part.end,
                                               .moving = training,
                                               .seed = static_cast<std::uint64_t>(config_.run.seed),
                                               .variants = config_.objective.variants});
    std::vector<std::int64_t> documents;
    for (const std::int64_t row : part.rows)
      for (std::int64_t i = 0; i < info.texts_per_row; ++i) documents.push_back(row * info.texts_per_row + i);
    return config_.text.samples == "packed" ? packed_samples(std::move(corpus), documents)
                                            : document_samples(std::move(corpus), documents);
  }

  const Config& config_;
  const Tokenizer& tokenizer_;
  const fs::path cache_dir_;
  std::unique_ptr<Classes> classes_;
  std::string identity_;
  TextDataset out_;
};

}  // namespace

TextDataset open_text(const Config& config, const Tokenizer& tokenizer, const fs::path& cache_dir) {
  return TextOpener(config, tokenizer, cache_dir).open();
}

fs::path token_cache_dir(const Config& config) {
  return config.text.cache_dir.empty() ? fs::path(config.run.dir) / "tokens"
                                       : fs::path(config.text.cache_dir);
}

fs::path tokenizer_path(const Config& config) {
  if (!config.text.tokenizer.empty()) return config.text.tokenizer;
  std::error_code error;
  std::vector<std::string> folders;
  for (const TeacherConfig& teacher : config.all_teachers()) folders.push_back(teacher.model.path);
  folders.push_back(config.student.path);
  for (const std::string& folder : folders) {
    if (folder.empty()) continue;
    if (!fs::exists(folder, error)) fail(ExitCode::missing_input, "{}: no such model folder", folder);
    if (fs::is_directory(folder, error) && holds_tokenizer(folder)) return folder;
  }
  fail(
      ExitCode::usage,
      "text.tokenizer: none given, and no model folder holds one; write text: {{tokenizer: tokenizer.json}}");
}

}  // namespace mgd
