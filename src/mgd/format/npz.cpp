#include "mgd/format/npz.h"

#include <archive.h>
#include <archive_entry.h>

#include <memory>

#include "mgd/core/error.h"

namespace mgd {
namespace {

using Handle = std::unique_ptr<::archive, int (*)(::archive*)>;

[[noreturn]] void report(const std::string& source, ::archive* zip) {
  const char* text = archive_error_string(zip);
  fail(ExitCode::bad_data, "{}: damaged .npz: {}", source, text != nullptr ? text : "unknown error");
}

// libarchive checks the CRC of every member at its end.
std::string read_member(::archive* zip, const std::string& source, std::uint64_t& left) {
  std::string out;
  const void* block = nullptr;
  std::size_t size = 0;
  std::int64_t offset = 0;
  int status = ARCHIVE_OK;
  while ((status = archive_read_data_block(zip, &block, &size, &offset)) == ARCHIVE_OK) {
    if (size > left) fail(ExitCode::bad_data, "{}: unpacks to more than is allowed", source);
    left -= size;
    out.append(static_cast<const char*>(block), size);
  }
  if (status != ARCHIVE_EOF) report(source, zip);
  return out;
}

}  // namespace

std::map<std::string, NumberArray> read_npz(std::string_view bytes, const std::string& source,
                                            std::uint64_t max_bytes) {
  const Handle zip(archive_read_new(), archive_read_free);
  if (!zip) fail(ExitCode::out_of_memory, "{}: no memory for the archive reader", source);
  // The seekable reader goes by the central directory, as NumPy does; the streaming one would miss a
  // truncation.
  archive_read_support_format_zip_seekable(zip.get());
  if (archive_read_open_memory(zip.get(), bytes.data(), bytes.size()) != ARCHIVE_OK)
    report(source, zip.get());
  std::map<std::string, NumberArray> arrays;
  ::archive_entry* header = nullptr;
  for (;;) {
    const int status = archive_read_next_header(zip.get(), &header);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) report(source, zip.get());
    const char* raw = archive_entry_pathname_utf8(header);
    if (raw == nullptr) raw = archive_entry_pathname(header);
    std::string name = raw != nullptr ? raw : "";
    if (archive_entry_is_encrypted(header) != 0)
      fail(ExitCode::refused, "{}: member '{}' is encrypted", source, name);
    if (!name.ends_with(".npy")) fail(ExitCode::bad_data, "{}: member '{}' is no .npy file", source, name);
    name.resize(name.size() - 4);
    NumberArray array = read_npy(read_member(zip.get(), source, max_bytes), source + ":" + name);
    if (!arrays.emplace(name, std::move(array)).second)
      fail(ExitCode::bad_data, "{}: holds '{}' twice", source, name);
  }
  if (arrays.empty()) fail(ExitCode::bad_data, "{}: not a .npz file, or an empty one", source);
  return arrays;
}

bool is_npz(const std::string& path) {
  const Handle zip(archive_read_new(), archive_read_free);
  if (!zip) fail(ExitCode::out_of_memory, "{}: no memory for the archive reader", path);
  archive_read_support_format_zip_seekable(zip.get());
  constexpr std::size_t kBlockBytes = 64 * 1024;
  if (archive_read_open_filename(zip.get(), path.c_str(), kBlockBytes) != ARCHIVE_OK) return false;
  ::archive_entry* header = nullptr;
  const int status = archive_read_next_header(zip.get(), &header);
  if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return false;
  const char* name = archive_entry_pathname_utf8(header);
  if (name == nullptr) name = archive_entry_pathname(header);
  return name != nullptr && std::string_view(name).ends_with(".npy");
}

}  // namespace mgd
