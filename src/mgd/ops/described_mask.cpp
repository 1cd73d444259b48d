#include "mgd/ops/described_mask.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "mgd/core/error.h"

namespace mgd {

namespace {

constexpr std::int64_t kMostPlaces = 4096;  // of one side: a drawing of more is no drawing

std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::int64_t number_of(std::string_view word, std::string_view text, std::int64_t least) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > kMostPlaces)
    fail(ExitCode::usage, "mask: {}: got '{}', expected a whole number from {} to {}", word, printable(text),
         least, kMostPlaces);
  return value;
}

std::vector<std::int64_t> numbers_of(std::string_view word, std::string_view text, std::int64_t least) {
  std::vector<std::int64_t> numbers;
  for (const std::string_view part : parts_of(text, ':')) numbers.push_back(number_of(word, part, least));
  return numbers;
}

struct Words {
  bool causal = false;
  std::int64_t window = -1, keys = 0, queries = 0;
  std::vector<std::int64_t> lengths, documents;
};

void read_word(Words& words, std::string_view word) {
  const std::vector<std::string> known{"causal", "window", "lengths", "documents", "keys", "queries"};
  const std::size_t equals = word.find('=');
  const std::string name(word.substr(0, equals));
  if (std::find(known.begin(), known.end(), name) == known.end())
    fail(ExitCode::usage, "mask: got '{}'{}", printable(name), suggestion(name, known));
  if (name == "causal") {
    if (equals != std::string_view::npos) fail(ExitCode::usage, "mask: causal takes no value");
    words.causal = true;
    return;
  }
  if (equals == std::string_view::npos) fail(ExitCode::usage, "mask: {0} lacks its value; write {0}=4", name);
  const std::string_view value = word.substr(equals + 1);
  if (name == "window") words.window = number_of(name, value, 0);
  if (name == "keys") words.keys = number_of(name, value, 1);
  if (name == "queries") words.queries = number_of(name, value, 1);
  if (name == "lengths") words.lengths = numbers_of(name, value, 0);
  if (name == "documents") words.documents = numbers_of(name, value, 1);
}

std::int64_t keys_of(const Words& words) {
  constexpr std::int64_t kDefault = 8;
  if (!words.documents.empty()) {
    const auto total = std::accumulate(words.documents.begin(), words.documents.end(), std::int64_t{0});
    if (words.keys > 0 && words.keys != total)
      fail(ExitCode::usage, "mask: keys: got {}, but the documents have {} tokens", words.keys, total);
    return total;
  }
  if (words.keys > 0) return words.keys;
  if (words.lengths.empty()) return std::max(kDefault, words.queries);
  return std::max<std::int64_t>(1, *std::max_element(words.lengths.begin(), words.lengths.end()));
}

at::Tensor document_ids(const std::vector<std::int64_t>& lengths) {
  const auto options = at::TensorOptions().dtype(at::kLong);
  return at::repeat_interleave(at::arange(static_cast<std::int64_t>(lengths.size()), options),
                               at::tensor(lengths, options))
      .unsqueeze(0);
}

}  // namespace

DescribedMask described_mask(std::string_view text) {
  Words words;
  for (const std::string_view word : parts_of(text, ',')) read_word(words, word);
  DescribedMask described;
  described.keys = keys_of(words);
  described.queries = words.queries > 0 ? words.queries : described.keys;
  described.mask.causal = words.causal;
  described.mask.window = words.window;
  if (!words.lengths.empty()) {
    described.batch = static_cast<std::int64_t>(words.lengths.size());
    described.mask.key_keep = key_keep_from_lengths(words.lengths, described.keys);
  }
  if (!words.documents.empty()) {
    if (!words.lengths.empty() || described.queries > described.keys)
      fail(ExitCode::usage, "mask: documents lie end to end without padding; leave out {}",
           words.lengths.empty() ? "queries" : "lengths");
    described.mask.key_documents = document_ids(words.documents);
    // The last places ask, as with a cache.
    described.mask.q_documents = described.mask.key_documents.slice(1, described.keys - described.queries);
  }
  return described;
}

std::string draw_keep(const at::Tensor& keep) {
  const at::Tensor rows = keep.contiguous();
  const bool* seen = rows.const_data_ptr<bool>();
  std::string text;
  for (std::int64_t i = 0; i < rows.size(0); ++i)
    for (std::int64_t j = 0; j < rows.size(1); ++j) {
      text += *seen++ ? '1' : '0';
      text += j + 1 < rows.size(1) ? ' ' : '\n';
    }
  return text;
}

Image picture_of_keep(const at::Tensor& keep, std::int64_t cell) {
  constexpr std::uint8_t kSeen = 40, kHidden = 225, kPaper = 255;
  const std::int64_t batch = keep.size(0), queries = keep.size(1), keys = keep.size(2);
  const std::int64_t frame = std::max<std::int64_t>(cell / 2, 1), line = cell > 3 ? 1 : 0;
  const std::int64_t pitch = queries * cell + frame;
  Image image{.height = batch * pitch + frame, .width = keys * cell + 2 * frame, .channels = 1, .pixels = {}};
  image.pixels.assign(static_cast<std::size_t>(image.height * image.width), kPaper);
  const at::Tensor rows = keep.contiguous();
  const bool* seen = rows.const_data_ptr<bool>();
  for (std::int64_t b = 0; b < batch; ++b)
    for (std::int64_t i = 0; i < queries; ++i)
      for (std::int64_t j = 0; j < keys; ++j) {
        const std::uint8_t shade = *seen++ ? kSeen : kHidden;
        for (std::int64_t y = 0; y < cell - line; ++y) {
          const auto row = (frame + b * pitch + i * cell + y) * image.width + frame + j * cell;
          std::fill_n(image.pixels.begin() + row, cell - line, shade);
        }
      }
  return image;
}

}  // namespace mgd
