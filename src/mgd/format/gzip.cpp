#include "mgd/format/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "mgd/core/error.h"

namespace mgd {
namespace {

constexpr int kGzipWindow = 15 + 16;

class Inflater {
 public:
  Inflater(std::string_view bytes, const std::string& source) : rest_(bytes), source_(source) {
    if (inflateInit2(&stream_, kGzipWindow) != Z_OK)
      fail(ExitCode::out_of_memory, "{}: no memory to unpack", source);
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // One stream, appended to `out`, which may grow to `max_bytes`.
  void run(std::string& out, std::uint64_t max_bytes) {
    std::array<char, 64 * 1024> block;
    for (int status = Z_OK; status != Z_STREAM_END;) {
      if (stream_.avail_in == 0) {
        const std::size_t next = std::min<std::size_t>(rest_.size(), 1 << 20);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(rest_.data()));
        stream_.avail_in = static_cast<uInt>(next);
        rest_.remove_prefix(next);
      }
      stream_.next_out = reinterpret_cast<Bytef*>(block.data());
      stream_.avail_out = static_cast<uInt>(block.size());
      status = inflate(&stream_, Z_NO_FLUSH);
      const std::size_t got = block.size() - stream_.avail_out;
      if (got > max_bytes - out.size())
        fail(ExitCode::bad_data, "{}: unpacks to more than the {} bytes that are allowed", source_,
             max_bytes);
      out.append(block.data(), got);
      if (status == Z_BUF_ERROR) fail(ExitCode::bad_data, "{}: truncated compressed data", source_);
      if (status != Z_OK && status != Z_STREAM_END)
        fail(ExitCode::bad_data, "{}: damaged compressed data: {}", source_,
             stream_.msg ? stream_.msg : "zlib error");
    }
  }

  std::string_view unread() const {
    return {rest_.data() - stream_.avail_in, rest_.size() + stream_.avail_in};
  }

 private:
  z_stream stream_{};
  std::string_view rest_;
  const std::string& source_;
};

}  // namespace

std::string gunzip(std::string_view bytes, const std::string& source, std::uint64_t max_bytes) {
  if (!is_gzip(bytes)) fail(ExitCode::bad_data, "{}: not a gzip file", source);
  std::string out;
  while (is_gzip(bytes)) {
    Inflater inflater(bytes, source);
    inflater.run(out, max_bytes);
    bytes = inflater.unread();
  }
  // Tapes pad with zeros; anything else behind the last member is damage.
  if (bytes.find_first_not_of('\0') != bytes.npos)
    fail(ExitCode::bad_data, "{}: {} bytes that are not gzip follow the compressed data", source,
         bytes.size());
  return out;
}

}  // namespace mgd
