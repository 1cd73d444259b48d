#include "mgd/format/tensorboard.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <protozero/pbf_writer.hpp>

#include "mgd/core/error.h"

namespace mgd {
namespace {

// Field numbers of tensorflow/core/util/event.proto and framework/summary.proto.
enum EventField : protozero::pbf_tag_type { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5 };
constexpr protozero::pbf_tag_type kSummaryValue = 1, kValueTag = 1, kSimpleValue = 2;

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82F63B78u : 0u);
    table[i] = value;
  }
  return table;
}

constexpr auto kCrcTable = make_crc_table();

// TFRecord masks its checksums, since a checksum over data that holds checksums is weak.
std::uint32_t masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

void append_little_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

std::string version_event(double wall_time) {
  std::string out;
  protozero::pbf_writer event(out);
  event.add_double(kWallTime, wall_time);
  event.add_string(kFileVersion, std::string("brain.Event:2"));
  return out;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) crc = kCrcTable[(crc ^ static_cast<std::uint8_t>(c)) & 0xff] ^ crc >> 8;
  return ~crc;
}

std::string tfrecord(std::string_view data) {
  std::string out;
  append_little_endian(out, data.size(), 8);
  append_little_endian(out, masked_crc(out), 4);
  out += data;
  append_little_endian(out, masked_crc(data), 4);
  return out;
}

EventWriter::EventWriter(const std::filesystem::path& folder) {
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::string name = fmt::format("events.out.tfevents.{:010}.{}.{}", static_cast<std::int64_t>(now),
                                       host_name(), ::getpid());
  path_ = folder / name;
  // A second writer of the same process and second must not mix its records into the first one's file.
  for (int i = 1; (fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) < 0; ++i) {
    if (errno != EEXIST || i > 1000)
      fail(ExitCode::cannot_create, "{}: cannot be created: {}", path_.string(), std::strerror(errno));
    path_ = folder / fmt::format("{}.{}", name, i);
  }
  pending_ = tfrecord(version_event(now));
}

EventWriter::~EventWriter() {
  try {
    flush();
  } catch (const Error&) {
  }
  ::close(fd_);
}

void EventWriter::add_scalar(std::string_view tag, double value, std::int64_t step, double wall_time) {
  std::string data;
  protozero::pbf_writer event(data);
  event.add_double(kWallTime, wall_time);
  event.add_int64(kStep, step);
  {
    protozero::pbf_writer summary(event, kSummary);
    protozero::pbf_writer item(summary, kSummaryValue);
    item.add_string(kValueTag, tag.data(), tag.size());
    item.add_float(kSimpleValue, static_cast<float>(value));
  }
  pending_ += tfrecord(data);
}

void EventWriter::flush() {
  std::size_t done = 0;
  while (done < pending_.size()) {
    const ssize_t written = ::write(fd_, pending_.data() + done, pending_.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int code = errno;
      pending_.erase(0, done);
      fail(ExitCode::io, "{}: write failed: {}", path_.string(), std::strerror(code));
    }
    done += static_cast<std::size_t>(written);
  }
  pending_.clear();
}

}  // namespace mgd
