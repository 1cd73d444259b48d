#include "mgd/core/system_error.h"

namespace mgd {

ExitCode exit_code_of(const std::error_code& code) {
  switch (static_cast<std::errc>(code.value())) {
    case std::errc::no_such_file_or_directory:
    case std::errc::not_a_directory:
    case std::errc::filename_too_long:
    case std::errc::too_many_symbolic_link_levels:
      return ExitCode::missing_input;
    case std::errc::permission_denied:
    case std::errc::operation_not_permitted:
    case std::errc::read_only_file_system:
    case std::errc::file_exists:
    case std::errc::is_a_directory:
    case std::errc::directory_not_empty:
      return ExitCode::cannot_create;
    case std::errc::not_enough_memory:
      return ExitCode::out_of_memory;
    case std::errc::resource_unavailable_try_again:
    case std::errc::too_many_files_open:
    case std::errc::too_many_files_open_in_system:
      return ExitCode::environment;
    default:
      return ExitCode::io;
  }
}

}  // namespace mgd
