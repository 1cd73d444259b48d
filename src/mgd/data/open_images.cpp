// From a path to a dataset: which format it is, and its reader.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <set>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/data/joined_images.h"
#include "mgd/data/picture_names.h"
#include "mgd/data/sources.h"
#include "mgd/format/archive_tree.h"
#include "mgd/format/gzip.h"
#include "mgd/format/npz.h"

namespace mgd {
namespace {

using namespace std::string_view_literals;

// The beginning of a file, unpacked when it is gzipped: the names of .csv.gz, .tar.gz and IDX say little.
std::string head_of(const std::string& path) {
  constexpr std::size_t kHead = 512;
  require_regular_file(path);
  std::array<char, 4096> raw{};
  std::ifstream file(path, std::ios::binary);
  file.read(raw.data(), raw.size());
  const std::string_view bytes(raw.data(), static_cast<std::size_t>(file.gcount()));
  if (!is_gzip(bytes)) return std::string(bytes.substr(0, kHead));
  std::string out(kHead, '\0');
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) fail(ExitCode::out_of_memory, "{}: no memory to unpack", path);
  stream.next_in = reinterpret_cast<Bytef*>(raw.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  inflate(&stream, Z_SYNC_FLUSH);  // damage shows when all is read
  out.resize(kHead - stream.avail_out);
  inflateEnd(&stream);
  return out;
}

std::string first_line(std::string_view head) {
  std::string line(head.substr(0, head.find('\n')));
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

bool is_table_text(std::string_view head) {
  const std::string line = first_line(head);
  return line.find(',') != line.npos && std::none_of(line.begin(), line.end(), [](char c) {
           return static_cast<unsigned char>(c) < 32 && c != '\r' && c != '\t';
         });
}

// The checksum of its first header tells also a tar of the old kind, which has no mark.
bool is_tar(std::string_view head) {
  constexpr std::size_t kHeader = 512, kChecksum = 148, kDigits = 8;
  if (head.size() < kHeader) return false;
  unsigned stored = 0, sum = 0;
  for (std::size_t i = 0; i < kHeader; ++i) {
    const bool inside = i >= kChecksum && i < kChecksum + kDigits;
    sum += inside ? ' ' : static_cast<std::uint8_t>(head[i]);
    if (inside && head[i] >= '0' && head[i] <= '7')
      stored = stored * 8 + static_cast<unsigned>(head[i] - '0');
  }
  return head[0] != '\0' && stored == sum;
}

WantedSplits wanted_by(Split split) {
  return {.train = split != Split::test, .test = split == Split::test};
}

Dataset read_format(const DataConfig& config, WantedSplits wanted, bool flat_is_unlabelled) {
  std::error_code error;
  if (!fs::exists(config.path, error))
    fail(ExitCode::missing_input, "{}: no such file or folder", config.path);
  const bool automatic = config.format == "auto";
  std::string format = config.format;
  if (automatic) format = fs::is_directory(config.path, error) ? "imagefolder" : detect_format(config.path);
  if (format == "csv") return read_csv_images(config, wanted);
  if (format == "list") return read_unlabelled(config, {open_list(config.path)}, wanted);
  if (format == "npz") return read_npz_images(config, wanted);
  const OpenedTree opened = open_tree(config, wanted);
  if (automatic) format = detect_format(opened, config.path);
  if (format == "cifar" || format == "idx") {
    Dataset data =
        format == "idx" ? read_idx_images(config, opened, wanted) : read_cifar(config, opened, wanted);
    for (const auto& name : opened.tree->others())
      ++data.unused[ending_of(name).empty() ? "without an ending" : ending_of(name)];
    return data;
  }
  if (format == "imagefolder")
    return config.labels == "none" || (flat_is_unlabelled && lies_flat(*opened.tree))
               ? read_unlabelled(config, opened, wanted)
               : read_image_folder(config, opened, wanted);
  const std::vector<std::string> known = {"auto", "cifar", "csv", "idx", "imagefolder", "list", "npz"};
  fail(ExitCode::usage, "data.format: got '{}', which is not known{}", format, suggestion(format, known));
}

}  // namespace

std::string detect_format(const std::string& path) {
  const std::string head = head_of(path);
  const auto starts = [&](std::string_view magic) { return head.starts_with(magic); };
  if (head.empty()) fail(ExitCode::bad_data, "{}: empty file, expected a dataset", path);
  if (starts("PK\x03\x04") || starts("PK\x05\x06")) return is_npz(path) ? "npz" : "imagefolder";
  if (starts("\xFD\x37zXZ\0"sv) || starts("\x28\xB5\x2F\xFD") || starts("BZh") || is_tar(head))
    return "imagefolder";
  if (starts("7z\xBC\xAF\x27\x1C") || starts("Rar!"))
    fail(ExitCode::bad_data, "{}: a {} archive, which is not read; unpack it and give the folder", path,
         starts("Rar!") ? "RAR" : "7z");
  if (starts("\x80") && head.size() > 1 && head[1] >= 2 && head[1] <= 5)
    fail(ExitCode::refused,
         "{}: a Python pickle, which can run code when read; convert it to .npz (x_train, y_train, ...)",
         path);
  if (starts("\x93NUMPY"))
    fail(ExitCode::bad_data,
         "{}: a single .npy array, expected a .npz with x_train, y_train, x_test and y_test", path);
  if (starts("\0\0"sv) && head.size() > 3 && head[2] >= 8 && head[2] <= 14)
    fail(ExitCode::bad_data,
         "{}: a single IDX file; give data.path the folder that holds pictures and labels", path);
  if (read_image_header(head)) fail(ExitCode::bad_data, "{}: a single picture, expected a dataset", path);
  if (is_picture_name(first_line(head))) return "list";
  if (is_table_text(head)) return "csv";
  if (is_cifar_name(path))
    fail(ExitCode::bad_data, "{}: a single CIFAR file; give data.path the folder that holds all of them",
         path);
  fail(ExitCode::bad_data,
       "{}: no known dataset, expected a folder, a .tar(.xz|.zst|.gz|.bz2), .zip, .npz, .csv(.gz), or a list "
       "whose "
       "first line is the path of a picture; data.format names one",
       path);
}

OpenedTree open_tree(const DataConfig& config, WantedSplits wanted) {
  const bool automatic = config.format == "auto";
  // What lies in a split that nobody wants need not be held in memory.
  const auto unwanted = [](const std::string& name, const std::string& split) {
    return !split.empty() && name.starts_with(split + "/") && name.find('/', split.size() + 1) != name.npos;
  };
  return {open_file_tree(config.path, [=](const std::string& name) {
    if ((automatic || config.format == "cifar") && is_cifar_name(name)) return true;
    if ((automatic || config.format == "idx") && is_idx_name(name)) return true;
    if (!automatic && config.format != "imagefolder") return false;
    return is_picture_name(name) && (wanted.train || !unwanted(name, config.train)) &&
           (wanted.test || !unwanted(name, config.test));
  })};
}

std::string detect_format(const OpenedTree& opened, const std::string& path) {
  std::int64_t cifar = 0, idx = 0;
  for (const auto& entry : opened.tree->entries()) {
    if (is_picture_name(entry.name)) return "imagefolder";
    if (is_cifar_name(entry.name) && entry.name.ends_with(".bin")) ++cifar;
    if (is_idx_name(entry.name)) ++idx;
  }
  if (cifar > 0 && idx > 0)
    fail(ExitCode::usage, "{}: holds CIFAR and IDX files; choose with data.format=cifar or data.format=idx",
         path);
  if (cifar > 0) return "cifar";
  if (idx > 0) return "idx";
  for (const auto& name : opened.tree->others())
    if (base_name(name) == "data_batch_1" || base_name(name) == "batches.meta")
      fail(ExitCode::refused,
           "{}: CIFAR's Python version ('{}') is made of pickles, which can run code when read; "
           "get the binary version",
           path, printable(name));
  return "imagefolder";
}

void no_such_split(const std::string& path, const std::string& split, const std::vector<std::string>& known) {
  fail(ExitCode::missing_input, "{}: no split '{}'{}", path, split, suggestion(split, known));
}

namespace {

// A picture that was learned measures memory: figures of such a part promise too much.
void note_shared(Dataset& data, const DataConfig& config, Split part) {
  const auto items = items_of(data, config, part);
  const SharedPictures shared =
      shared_pictures({*data.store, items}, {*data.store, items_of(data, config, Split::train)});
  if (shared.items.empty()) return;
  const std::size_t count = shared.items.size();
  data.notes.push_back(
      fmt::format("{} of {} {} pictures {} in the training part too, byte for byte: {} = {}{}", count,
                  items.size(), part == Split::test ? "test" : "validation", count == 1 ? "is" : "are",
                  printable(data.store->name(shared.items.front())),
                  printable(data.store->name(shared.other)), count > 1 ? ", ..." : ""));
}

Dataset read_dataset(const DataConfig& config, WantedSplits wanted, bool flat_is_unlabelled) {
  Dataset data = read_format(config, wanted, flat_is_unlabelled);
  if (config.labels == "none") forget_labels(data);
  if (data.classes.empty() && config.per_class > 0)
    fail(ExitCode::usage, "data.per_class: {}: the pictures have no labels", config.path);
  if (wanted.train) check_labels(data, config.path);
  if (config.channels > 0) data.channels = config.channels;
  return data;
}

}  // namespace

std::shared_ptr<const ImageSource> open_images(const DataConfig& config, Split split) {
  return select_split(read_dataset(config, wanted_by(split), /*flat_is_unlabelled=*/split != Split::test),
                      config, split);
}

namespace {

// What is there with a label is not needed without one, and what is measured is not to be learned from.
void leave_out_known(Dataset& more, const Dataset& data, const DataConfig& config) {
  std::vector<LabelledItem> known;
  for (const Split part : {Split::train, Split::validation, Split::test})
    std::ranges::copy(items_of(data, config, part), std::back_inserter(known));
  const SharedPictures shared = shared_pictures({*more.store, more.train}, {*data.store, known});
  if (shared.items.empty()) return;
  const std::size_t all = more.train.size();
  const std::set<std::int64_t> copies(shared.items.begin(), shared.items.end());
  std::erase_if(more.train, [&](const LabelledItem& one) { return copies.contains(one.item); });
  more.notes.push_back(
      fmt::format("{} of {} pictures are in data.path too, byte for byte, and left out: {} = {}{}",
                  copies.size(), all, printable(more.store->name(shared.items.front())),
                  printable(data.store->name(shared.other)), copies.size() > 1 ? ", ..." : ""));
}

std::shared_ptr<const ImageSource> open_unlabelled(const DataConfig& config, const Dataset& data) {
  DataConfig wanted = config;
  wanted.path = config.unlabelled;
  wanted.unlabelled.clear();
  wanted.format = "auto";
  wanted.labels = "none";
  wanted.train = "train";
  wanted.test.clear();
  wanted.validation_split.clear();
  wanted.validation = 0;
  wanted.per_class = 0;
  wanted.channels = data.channels;
  Dataset more = config.unlabelled == config.path
                     ? data
                     : read_dataset(wanted, {.train = true}, /*flat_is_unlabelled=*/true);
  forget_labels(more);
  leave_out_known(more, data, config);
  if (more.train.empty())
    fail(ExitCode::bad_data, "data.unlabelled: {}: data.path has all of its pictures already",
         config.unlabelled);
  return select_split(more, wanted, Split::train);
}

}  // namespace

OpenedSplits open_splits(const DataConfig& config) {
  Dataset data =
      read_dataset(config, {.train = true, .test = !config.test.empty()}, /*flat_is_unlabelled=*/true);
  for (const Split part : {Split::validation, Split::test}) note_shared(data, config, part);
  OpenedSplits out;
  out.train = select_split(data, config, Split::train);
  if (!config.unlabelled.empty()) {
    if (data.classes.empty())
      fail(ExitCode::usage,
           "data.unlabelled: the pictures of data.path have no labels either; put all of them into one "
           "folder");
    out.train = joined_images(std::move(out.train), open_unlabelled(config, data));
  }
  if (config.validation > 0 || data.validation)
    out.validation = select_split(data, config, Split::validation);
  if (!config.test.empty() && data.has_test) out.test = select_split(data, config, Split::test);
  return out;
}

}  // namespace mgd
