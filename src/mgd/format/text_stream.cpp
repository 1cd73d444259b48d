#include "mgd/format/text_stream.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <streambuf>
#include <string>
#include <vector>

#include "mgd/core/error.h"

namespace mgd {

namespace {

constexpr std::size_t kHeadBytes = 4096;
constexpr const char* kCompressedEndings[] = {".gz", ".zst", ".xz", ".bz2"};

struct Magic {
  std::string_view bytes;
  const char* what;
};

bool is_compressed(std::string_view head) {
  constexpr std::string_view kMagics[] = {"\x1F\x8B", "\x28\xB5\x2F\xFD", {"\xFD\x37zXZ\0", 6}, "BZh"};
  return std::any_of(std::begin(kMagics), std::end(kMagics),
                     [&](std::string_view magic) { return head.starts_with(magic); });
}

// The encoding of two or four bytes a character that a file is in; "" for others. Without a mark, Latin
// letters leave zeros at every second place, or at three of four.
std::string wide_encoding(std::string_view head) {
  constexpr Magic kMarks[] = {{{"\xFF\xFE\0\0", 4}, "UTF-32"},
                              {{"\0\0\xFE\xFF", 4}, "UTF-32"},
                              {"\xFF\xFE", "UTF-16"},
                              {"\xFE\xFF", "UTF-16"}};
  for (const Magic& mark : kMarks)
    if (head.starts_with(mark.bytes)) return mark.what;
  std::array<std::size_t, 4> zeros{};
  for (std::size_t i = 0; i < head.size(); ++i) zeros[i % 4] += head[i] == '\0' ? 1 : 0;
  const std::size_t quarter = head.size() / 4;
  if (quarter == 0) return "";
  const auto mostly = [&](std::size_t place) { return 10 * zeros[place] > 7 * quarter; };
  const auto seldom = [&](std::size_t place) { return 10 * zeros[place] < 2 * quarter; };
  if (seldom(0) && mostly(1) && mostly(2) && mostly(3)) return "UTF-32LE";
  if (mostly(0) && mostly(1) && mostly(2) && seldom(3)) return "UTF-32BE";
  if (seldom(0) && mostly(1) && seldom(2) && mostly(3)) return "UTF-16LE";
  if (mostly(0) && seldom(1) && mostly(2) && seldom(3)) return "UTF-16BE";
  return "";
}

void refuse_other_files(std::string_view head, const fs::path& path) {
  constexpr Magic kMagics[] = {{{"PK\x03\x04", 4}, "a zip archive (or a document in one); unpack it"},
                               {"PAR1", "a Parquet table; write it as .jsonl or .csv"},
                               {"ARROW1", "an Arrow table; write it as .jsonl or .csv"},
                               {"%PDF", "a PDF document; take its text out of it"},
                               {"SQLite format 3", "a database; write its table as .csv"},
                               {"Rar!", "a RAR archive; unpack it"},
                               {"7z\xBC\xAF", "a 7-Zip archive; unpack it"}};
  for (const Magic& magic : kMagics)
    if (head.starts_with(magic.bytes))
      fail(ExitCode::bad_data, "{}: no text but {}", path.string(), magic.what);
  if (head.size() > 262 && head.substr(257, 5) == "ustar")
    fail(ExitCode::bad_data, "{}: no text but a tar archive; unpack it", path.string());
  if (const std::string encoding = wide_encoding(head); !encoding.empty())
    fail(ExitCode::bad_data,
         "{}: its text is in {}, expected UTF-8; convert it:\n  iconv -f {} -t UTF-8 {} > utf8.txt",
         path.string(), encoding, encoding, path.string());
}

// What a compressed file unpacks to.
class Unpacked final : public std::streambuf {
 public:
  explicit Unpacked(const fs::path& path)
      : path_(path), archive_(archive_read_new(), archive_read_free), buffer_(std::size_t{1} << 16) {
    archive_read_support_filter_gzip(archive_.get());
    archive_read_support_filter_zstd(archive_.get());
    archive_read_support_filter_xz(archive_.get());
    archive_read_support_filter_bzip2(archive_.get());
    archive_read_support_format_raw(archive_.get());
    archive_read_support_format_empty(archive_.get());
    if (archive_read_open_filename(archive_.get(), path.c_str(), buffer_.size()) != ARCHIVE_OK) damaged();
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(archive_.get(), &entry);
    if (status == ARCHIVE_EOF)
      at_end_ = true;
    else if (status != ARCHIVE_OK)
      damaged();
  }

  std::string_view head() {
    underflow();
    return {gptr(), static_cast<std::size_t>(egptr() - gptr())};
  }

 protected:
  int_type underflow() override {
    if (gptr() < egptr()) return traits_type::to_int_type(*gptr());
    if (at_end_) return traits_type::eof();
    const la_ssize_t got = archive_read_data(archive_.get(), buffer_.data(), buffer_.size());
    if (got < 0) damaged();
    at_end_ = got == 0;
    setg(buffer_.data(), buffer_.data(), buffer_.data() + got);
    return got == 0 ? traits_type::eof() : traits_type::to_int_type(*gptr());
  }

 private:
  [[noreturn]] void damaged() {
    const char* why = archive_error_string(archive_.get());
    fail(ExitCode::bad_data, "{}: the compressed file cannot be unpacked: {}", path_.string(),
         why != nullptr ? printable(why) : "it is damaged");
  }

  const fs::path path_;
  const std::unique_ptr<archive, decltype(&archive_read_free)> archive_;
  std::vector<char> buffer_;
  bool at_end_ = false;
};

class UnpackedStream final : public std::istream {
 public:
  explicit UnpackedStream(const fs::path& path) : std::istream(nullptr), buffer_(path) {
    refuse_other_files(buffer_.head(), path);
    rdbuf(&buffer_);
    exceptions(std::ios::badbit);  // the error of the buffer reaches the reader
  }

 private:
  Unpacked buffer_;
};

}  // namespace

std::unique_ptr<std::istream> open_text_stream(const fs::path& path) {
  require_regular_file(path);
  auto file = std::make_unique<std::ifstream>(path, std::ios::binary);
  if (!*file) fail(ExitCode::io, "{}: cannot be opened for reading", path.string());
  std::string head(kHeadBytes, '\0');
  file->read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file->gcount()));
  if (is_compressed(head)) return std::make_unique<UnpackedStream>(path);
  refuse_other_files(head, path);
  file->clear();
  file->seekg(0);
  return file;
}

std::string text_ending(const fs::path& path) {
  const std::string ending = path.extension().string();
  const bool compressed = std::find(std::begin(kCompressedEndings), std::end(kCompressedEndings), ending) !=
                          std::end(kCompressedEndings);
  return compressed ? path.stem().extension().string() : ending;
}

}  // namespace mgd
