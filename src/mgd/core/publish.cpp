#include "mgd/core/publish.h"

#include <stdio.h>  // renameat2

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"

namespace mgd {

namespace {

void require_folder_or_nothing(const fs::path& target) {
  std::error_code error;
  const auto type = fs::symlink_status(target, error).type();
  if (type != fs::file_type::not_found && type != fs::file_type::directory && type != fs::file_type::none)
    fail(ExitCode::cannot_create,
         "{}: cannot be created: a {} of that name stands there, and only a folder is replaced",
         target.string(), type == fs::file_type::symlink ? "link" : "file");
}

[[noreturn]] void rename_failed(const fs::path& target) {
  fail(ExitCode::io, "{}: cannot be published: {}", target.string(), std::strerror(errno));
}

// What has to be undone when the last fsync fails, or removed when it does not.
enum class Placed { as_new, exchanged, old_aside };

// The staged folder takes the target's name. `aside` is where the old one waits if names cannot be exchanged
// there: a writer killed between those two renames leaves it to remove_stale_staging().
Placed place(const fs::path& staging, const fs::path& target, const fs::path& aside) {
  if (::rename(staging.c_str(), target.c_str()) == 0) return Placed::as_new;
  if (errno != ENOTEMPTY && errno != EEXIST) rename_failed(target);
  // In one step, so that a reader finds the old folder or the new one.
  if (::renameat2(AT_FDCWD, staging.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0)
    return Placed::exchanged;
  if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) rename_failed(target);
  if (::rename(target.c_str(), aside.c_str()) != 0) rename_failed(target);
  if (::rename(staging.c_str(), target.c_str()) == 0) return Placed::old_aside;
  const int error = errno;
  static_cast<void>(::rename(aside.c_str(), target.c_str()));
  errno = error;
  rename_failed(target);
}

void take_back(Placed placed, const fs::path& staging, const fs::path& target, const fs::path& aside) {
  const int exchange = placed == Placed::exchanged ? RENAME_EXCHANGE : 0;
  const int back =
      ::renameat2(AT_FDCWD, target.c_str(), AT_FDCWD, staging.c_str(), static_cast<unsigned>(exchange));
  if (back == 0 && placed == Placed::old_aside) static_cast<void>(::rename(aside.c_str(), target.c_str()));
}

}  // namespace

DirectoryPublisher::DirectoryPublisher(fs::path target)
    : target_(target.has_filename() ? std::move(target) : target.parent_path()) {
  require_folder_or_nothing(target_);
  remove_stale_staging(parent_of(target_));
  staging_ = make_staging(target_, StagingKind::folder);
}

DirectoryPublisher::~DirectoryPublisher() {
  std::error_code ignored;
  if (!published_) fs::remove_all(staging_.path, ignored);
}

void DirectoryPublisher::add(const std::string& name, std::string_view bytes) {
  MGD_ASSERT(!name.starts_with('/') && name.find("..") == std::string::npos && !files_.contains(name));
  const fs::path file = staging_.path / name;
  const bool nested = file.parent_path() != staging_.path;
  if (nested) fs::create_directories(file.parent_path());
  write_file_synced(file, bytes);
  if (nested) fsync_directory(file.parent_path());  // publish() syncs the folder itself
  files_[name] = {.bytes = bytes.size(), .sha256 = sha256_hex(bytes)};
}

OutputFile DirectoryPublisher::create(const std::string& name) {
  MGD_ASSERT(name.find('/') == std::string::npos && !files_.contains(name));
  return OutputFile(staging_.path / name);
}

void DirectoryPublisher::add(OutputFile& file) {
  const std::string sha256 = file.close();
  files_[file.path().filename().string()] = {.bytes = file.bytes(), .sha256 = sha256};
}

void DirectoryPublisher::publish(bool manifest) {
  if (manifest) write_file_synced(staging_.path / "manifest.json", manifest_json(files_));
  fsync_directory(staging_.path);
  require_folder_or_nothing(target_);
  const fs::path aside = aside_name(staging_.path, target_);
  const Placed placed = place(staging_.path, target_, aside);
  try {
    fsync_directory(parent_of(target_));
  } catch (...) {
    take_back(placed, staging_.path, target_, aside);
    throw;
  }
  published_ = true;
  // Only now: until the new name is on the disk, the old folder is the one that survives a power cut.
  std::error_code ignored;
  if (placed != Placed::as_new) fs::remove_all(placed == Placed::exchanged ? staging_.path : aside, ignored);
}

std::string manifest_json(const Manifest& files) {
  nlohmann::ordered_json all = nlohmann::ordered_json::object();
  for (const auto& [name, entry] : files) all[name] = {{"bytes", entry.bytes}, {"sha256", entry.sha256}};
  return nlohmann::ordered_json{{"version", 1}, {"files", all}}.dump(2) + "\n";
}

Manifest parse_manifest(std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.at("version") != 1) fail(ExitCode::bad_data, "manifest.json has an unknown version");
    Manifest files;
    // Through the object itself: items() of anything else would number its elements.
    for (const auto& [name, entry] : json.at("files").get_ref<const nlohmann::json::object_t&>()) {
      if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos ||
          name.find('\0') != std::string::npos)
        fail(ExitCode::bad_data, "manifest.json names something that is no file of its folder");
      if (!entry.at("bytes").is_number_unsigned())
        fail(ExitCode::bad_data, "manifest.json is damaged: the size of {}", name);
      files[name] = {.bytes = entry.at("bytes").get<std::uint64_t>(),
                     .sha256 = entry.at("sha256").get<std::string>()};
    }
    return files;
  } catch (const nlohmann::json::exception&) {
    fail(ExitCode::bad_data, "manifest.json is damaged");
  }
}

std::string verify_manifest(const fs::path& folder) {
  try {
    for (const auto& [name, entry] : parse_manifest(read_file(folder / "manifest.json", 1 << 20))) {
      const fs::path file = folder / name;
      std::error_code error;
      const auto status = fs::status(file, error);
      if (!fs::exists(status)) return fmt::format("{} is missing", name);
      if (!fs::is_regular_file(status)) return fmt::format("{} is not a regular file", name);
      const auto size = fs::file_size(file, error);
      if (error) return fmt::format("{}: {}", name, error.message());
      if (size != entry.bytes)
        return fmt::format("{} has {} bytes, the manifest says {}", name, size, entry.bytes);
      if (sha256_file(file) != entry.sha256) return fmt::format("{} does not match its SHA-256", name);
    }
    return "";
  } catch (const Error& error) {
    return error.what();
  } catch (const fs::filesystem_error& error) {
    return error.what();
  }
}

}  // namespace mgd
