#include "mgd/core/publish_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "mgd/core/error.h"
#include "mgd/core/output_file.h"

namespace mgd {

FilePublisher::FilePublisher(fs::path target) : target_(std::move(target)) {
  if (fs::is_directory(target_))
    fail(ExitCode::cannot_create, "{}: cannot be created: a folder of that name stands there",
         target_.string());
  remove_stale_staging(parent_of(target_));
  staging_ = make_staging(target_, StagingKind::file);
}

FilePublisher::~FilePublisher() {
  if (!published_) ::unlink(staging_.path.c_str());
}

void FilePublisher::flush() {
  write_all(staging_.lock, target_, buffer_);
  buffer_.clear();
}

void FilePublisher::write(std::string_view bytes) {
  constexpr std::size_t kBuffer = 1 << 16;
  bytes_ += bytes.size();
  if (bytes.size() < kBuffer) {
    buffer_ += bytes;
    if (buffer_.size() >= kBuffer) flush();
    return;
  }
  flush();
  write_all(staging_.lock, target_, bytes);
}

void FilePublisher::finish() {
  flush();
  sync_file(staging_.lock, target_, bytes_);
}

void FilePublisher::publish() {
  MGD_ASSERT(buffer_.empty() && !published_);
  if (::rename(staging_.path.c_str(), target_.c_str()) != 0)
    fail(errno == EISDIR ? ExitCode::cannot_create : ExitCode::io, "{}: cannot be replaced: {}",
         target_.string(), std::strerror(errno));
  published_ = true;
  fsync_directory(parent_of(target_));
}

}  // namespace mgd
