// From a path to a dataset: which format it is, and its reader.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/data/sources.h"
#include "mgd/format/archive_tree.h"
#include "mgd/format/gzip.h"

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

bool is_table_text(std::string_view head) {
  const auto line = head.substr(0, head.find('\n'));
  return line.find(',') != line.npos && std::none_of(line.begin(), line.end(), [](char c) {
           return static_cast<unsigned char>(c) < 32 && c != '\r' && c != '\t';
         });
}

WantedSplits wanted_by(Split split) {
  return {.train = split != Split::test, .test = split == Split::test};
}

Dataset read_dataset(const DataConfig& config, WantedSplits wanted) {
  std::error_code error;
  if (!fs::exists(config.path, error))
    fail(ExitCode::missing_input, "{}: no such file or folder", config.path);
  const bool automatic = config.format == "auto";
  std::string format = config.format;
  if (automatic) format = fs::is_directory(config.path, error) ? "imagefolder" : detect_format(config.path);
  if (format == "csv") return read_csv_images(config);
  if (format == "npz") return read_npz_images(config, wanted);
  const OpenedTree opened = open_tree(config, wanted);
  if (automatic) format = detect_format(opened, config.path);
  if (format == "cifar") return read_cifar(config, opened, wanted);
  if (format == "idx") return read_idx_images(config, opened, wanted);
  if (format == "imagefolder") return read_image_folder(config, opened, wanted);
  const std::vector<std::string> known = {"auto", "cifar", "csv", "idx", "imagefolder", "npz"};
  fail(ExitCode::usage, "data.format: got '{}', which is not known{}", format, suggestion(format, known));
}

}  // namespace

std::string detect_format(const std::string& path) {
  const std::string head = head_of(path);
  const auto starts = [&](std::string_view magic) { return head.starts_with(magic); };
  if (head.empty()) fail(ExitCode::bad_data, "{}: empty file, expected a dataset", path);
  if (starts("PK\x03\x04")) return "npz";
  if (starts("\xFD\x37zXZ\0"sv) || starts("\x28\xB5\x2F\xFD") ||
      (head.size() > 262 && head.compare(257, 5, "ustar") == 0))
    return "imagefolder";
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
  if (starts("\xFF\xD8\xFF") || starts("\x89PNG"))
    fail(ExitCode::bad_data, "{}: a single picture, expected a dataset", path);
  if (is_table_text(head)) return "csv";
  if (is_cifar_name(path))
    fail(ExitCode::bad_data, "{}: a single CIFAR file; give data.path the folder that holds all of them",
         path);
  fail(ExitCode::bad_data,
       "{}: no known dataset, expected a folder, a .tar(.xz|.zst|.gz), .npz or .csv(.gz); data.format names "
       "one",
       path);
}

OpenedTree open_tree(const DataConfig& config, WantedSplits wanted) {
  const bool automatic = config.format == "auto";
  const auto in_split = [](const std::string& name, const std::string& split) {
    return split.empty() || name.starts_with(split + "/");
  };
  const auto readable = [&](const std::string& name) {
    if ((automatic || config.format == "cifar") && is_cifar_name(name)) return true;
    if ((automatic || config.format == "idx") && is_idx_name(name)) return true;
    if (!automatic && config.format != "imagefolder") return false;
    return is_picture_name(name) &&
           ((wanted.train && in_split(name, config.train)) || (wanted.test && in_split(name, config.test)));
  };
  OpenedTree opened;
  opened.tree = open_file_tree(config.path, [&](const std::string& name) {
    if (readable(name)) return true;
    opened.others.push_back(name);
    return false;
  });
  return opened;
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
  for (const auto& name : opened.others)
    if (base_name(name) == "data_batch_1" || base_name(name) == "batches.meta")
      fail(ExitCode::refused,
           "{}: CIFAR's Python version ('{}') is made of pickles, which can run code when read; "
           "get the binary version",
           path, printable(name));
  return "imagefolder";
}

std::string base_name(const std::string& name) {
  return name.substr(name.rfind('/') + 1);
}

void no_such_split(const std::string& path, const std::string& split, const std::vector<std::string>& known) {
  fail(ExitCode::missing_input, "{}: no split '{}'{}", path, split, suggestion(split, known));
}

std::shared_ptr<const ImageSource> open_images(const DataConfig& config, Split split) {
  return select_split(read_dataset(config, wanted_by(split)), config, split);
}

OpenedSplits open_splits(const DataConfig& config) {
  const Dataset data = read_dataset(config, {.train = true, .test = !config.test.empty()});
  OpenedSplits out;
  out.train = select_split(data, config, Split::train);
  if (config.validation > 0) out.validation = select_split(data, config, Split::validation);
  if (!config.test.empty()) out.test = select_split(data, config, Split::test);
  return out;
}

}  // namespace mgd
