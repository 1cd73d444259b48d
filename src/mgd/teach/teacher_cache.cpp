#include "mgd/teach/teacher_cache.h"

#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/teach/facts.h"

namespace mgd {

namespace {

using json = nlohmann::json;  // keys in the order of their names, as in a map
using Facts = std::map<std::string, std::string>;

std::string encoding_of(const TeacherCacheConfig& config) {
  return fmt::format("{} features, {}", config.features,
                     config.top_k > 0 ? fmt::format("top {} logits", config.top_k) : "all logits");
}

std::string facts_json(const TeacherCacheOptions& options, const TargetLayout& layout) {
  Facts facts = options.facts;
  facts["encoding"] = encoding_of(options.config);
  facts["samples"] = fmt::format("{}", options.num_samples);
  facts["views"] = fmt::format("{}", options.num_views);
  facts["outputs"] = layout.describe();
  return json(facts).dump(2, ' ', false, json::error_handler_t::replace);
}

Facts facts_of(const std::string& text) {
  Facts facts;
  const json parsed = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_object())
    for (const auto& [key, value] : parsed.items())
      facts[key] = value.is_string() ? value.get<std::string>() : value.dump();
  return facts;
}

// A name that says it is a file is one; anything else is a folder for the files of any facts.
fs::path file_of(const fs::path& path, const std::string& text) {
  if (path.extension() == ".cache") return path;
  if (fs::exists(path) && !fs::is_directory(path))
    fail(ExitCode::usage, "train.teacher_cache.path: {} is a file; expected a folder, or a file NAME.cache",
         path.string());
  return path / (sha256_hex(text).substr(0, 16) + ".cache");
}

std::string size_text(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value >= 1 << 30) return fmt::format("{:.1f} GiB", value / (1 << 30));
  if (value >= 1 << 20) return fmt::format("{:.1f} MiB", value / (1 << 20));
  return fmt::format("{:.1f} KiB", value / 1024);
}

std::byte* bytes_of(std::vector<std::uint64_t>& words) {
  return reinterpret_cast<std::byte*>(words.data());
}

}  // namespace

RecordShape TeacherCache::shape_of(const TargetLayout& layout, const TeacherCacheOptions& options) {
  const std::int64_t count = options.num_samples * options.num_views;
  if (options.shapes.empty()) return {.num_records = count, .record_bytes = layout.record_bytes({})};
  MGD_ASSERT(static_cast<std::int64_t>(options.shapes.size()) == count);
  std::vector<std::uint64_t> bytes;
  for (const SampleShape& shape : options.shapes)
    bytes.push_back(static_cast<std::uint64_t>(layout.record_bytes(shape)));
  return RecordShape::ragged(bytes);
}

TeacherCache::TeacherCache(TeacherCacheOptions options)
    : layout_(options.kept, options.config),
      num_samples_(options.num_samples),
      num_views_(options.num_views),
      encoding_(encoding_of(options.config)),
      text_(facts_json(options, layout_)),
      shape_(shape_of(layout_, options)),
      path_(file_of(options.config.path, text_)),
      bytes_(RecordFile::bytes_of(text_, shape_)) {
  require_limit(options.config.limit_mb, options);
  if (!fs::exists(path_)) return;
  if (auto file = RecordFile::open(path_))
    adopt(std::move(*file));
  else
    damage_ = "its head is damaged, all of it is computed again";
}

void TeacherCache::require_limit(std::int64_t limit_mb, const TeacherCacheOptions& options) const {
  if (bytes_ <= static_cast<std::uint64_t>(limit_mb) << 20) return;
  const auto size_with = [&](const char* features) {
    TeacherCacheConfig config = options.config;
    config.features = features;
    const TargetLayout other(options.kept, config);
    return size_text(RecordFile::bytes_of(text_, shape_of(other, options)));
  };
  fail(ExitCode::usage,
       "train.teacher_cache: {} needed for {} samples x {} views, train.teacher_cache.limit_mb allows {}; "
       "raise "
       "it, or set train.teacher_cache.features to bf16 ({}) or int8 ({}), train.teacher_cache.top_k to keep "
       "fewer logits, or data.views to fewer",
       size_text(bytes_), num_samples_, num_views_, size_text(static_cast<std::uint64_t>(limit_mb) << 20),
       size_with("bf16"), size_with("int8"));
}

void TeacherCache::adopt(RecordFile file) {
  if (file.text() != text_)
    fail(ExitCode::usage,
         "teacher cache {}: it was made by another teacher, of other data or in another way:{}\nname another "
         "file in train.teacher_cache.path, or a folder, which gets a file for each of them",
         path_.string(), difference_of(facts_of(file.text()), facts_of(text_)));
  if (file.shape().ends != shape_.ends || file.shape().num_records != shape_.num_records)
    fail(ExitCode::usage,
         "teacher cache {}: its records are of samples of other lengths; name another file in "
         "train.teacher_cache.path",
         path_.string());
  if (!file.repair().empty()) damage_ = file.repair() + "; what is missing is computed again";
  file_.emplace(std::move(file));
}

void TeacherCache::create() {
  if (file_ && !file_->writable() && !complete())
    fail(ExitCode::cannot_create,
         "teacher cache {}: {} of {} records are there, and it may not be written; a complete one serves "
         "from a "
         "read-only place, this one needs another train.teacher_cache.path",
         path_.string(), file_->num_written(), num_samples_ * num_views_);
  if (file_) return;
  std::error_code error;
  fs::remove(path_, error);  // of a damaged head, or nothing
  adopt(RecordFile::create(path_, text_, shape_));
  if (!note_.empty()) file_->set_note(note_);
}

std::string TeacherCache::describe() const {
  const std::int64_t written = file_ ? file_->num_written() : 0, all = num_samples_ * num_views_;
  return fmt::format("{}: {}, {} samples x {} views, {}; {}{}", path_.string(), size_text(bytes_),
                     num_samples_, num_views_, encoding_, file_ && !file_->writable() ? "read-only, " : "",
                     written == all ? "complete" : fmt::format("{} of {} there", written, all));
}

bool TeacherCache::complete() const {
  return file_ && file_->num_written() == num_samples_ * num_views_;
}

TeacherCache::Lookup TeacherCache::look_up(const Batch& batch) {
  SamplePlaces places(batch);
  Lookup lookup{.places = places,
                .output = layout_.empty_output(batch, places),
                .missing = {},
                .keys = sample_keys(batch)};
  if (file_) file_->require_whole();
  std::vector<std::uint64_t> words(file_ ? file_->buffer_words() : 0);
  for (std::int64_t i = 0; i < batch.size(); ++i) {
    const auto place = static_cast<std::size_t>(i);
    const auto state =
        file_ ? file_->read(record_of(batch.view, batch.sample_ids[place]), lookup.keys[place], words.data())
              : RecordFile::State::missing;
    damaged_ += state == RecordFile::State::damaged ? 1 : 0;
    stale_ += state == RecordFile::State::stale ? 1 : 0;
    if (state == RecordFile::State::good)
      layout_.decode(bytes_of(words), lookup.places, i, lookup.output);
    else
      lookup.missing.push_back(i);
  }
  misses_ += static_cast<std::int64_t>(lookup.missing.size());
  hits_ += batch.size() - static_cast<std::int64_t>(lookup.missing.size());
  return lookup;
}

void TeacherCache::fill_in(const Batch& batch, Lookup& lookup, const Batch& asked, const Record& live) {
  create();
  file_->require_whole();
  const Record said = layout_.normalised(live);
  const SamplePlaces places(asked);
  const bool whole = asked.size() == batch.size();
  std::vector<std::uint64_t> words(file_->buffer_words());
  for (std::size_t row = 0; row < lookup.missing.size(); ++row) {
    const std::int64_t place = lookup.missing[row];
    const auto index = static_cast<std::size_t>(place);
    layout_.encode(said, places, whole ? place : static_cast<std::int64_t>(row), bytes_of(words));
    file_->write(record_of(batch.view, batch.sample_ids[index]), lookup.keys[index], words.data());
    layout_.decode(bytes_of(words), lookup.places, place, lookup.output);
  }
}

std::vector<std::int64_t> TeacherCache::missing_samples(std::int64_t view) const {
  std::vector<std::int64_t> missing;
  for (std::int64_t sample = 0; sample < num_samples_; ++sample)
    if (!file_ || !file_->is_written(record_of(view, sample))) missing.push_back(sample);
  return missing;
}

std::string TeacherCache::note() const {
  return file_ ? file_->note() : note_;
}

void TeacherCache::set_note(const std::string& note) {
  if (note.size() >= RecordFile::kNoteBytes) return;
  note_ = note;
  if (file_) file_->set_note(note);
}

}  // namespace mgd
