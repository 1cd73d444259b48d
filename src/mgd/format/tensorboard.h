// TensorBoard event files: TFRecord framing around protocol buffers, scalars only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace mgd {

class EventWriter {
 public:
  // Creates FOLDER/events.out.tfevents.TIME.HOST.PID; a resumed run writes a file of its own, which
  // TensorBoard joins by step. Throws Error(cannot_create).
  explicit EventWriter(const std::filesystem::path& folder);
  ~EventWriter();  // writes what is pending; an error then is lost, so call flush() where it matters
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  // `wall_time` in seconds since 1970. NaN and inf are legal.
  void add_scalar(std::string_view tag, double value, std::int64_t step, double wall_time);

  void flush();  // throws Error(io); what could not be written stays pending
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::string pending_;
  int fd_ = -1;
};

// One record: u64 length, its masked CRC-32C, the data, its masked CRC-32C; all little-endian.
std::string tfrecord(std::string_view data);

std::uint32_t crc32c(std::string_view bytes);  // Castagnoli, as in RFC 3720

}  // namespace mgd
