#include "mgd/core/make_folder.h"

#include "mgd/core/error.h"

namespace mgd {

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail(ExitCode::cannot_create, "{}: cannot be created: {}", path.string(), error.message());
}

}  // namespace mgd
