// Texts as they come: from arguments, from a file, from a pipe that is still being written.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace mgd {

// Shows the texts in batches of at most `batch_size`: each argument, and for `-` each line of standard input,
// blank ones too, so that answers stand line for line beside what was asked. A batch is not waited for: it is
// shown as soon as no further line is there. After each, standard output is flushed. Bytes that are no UTF-8
// become U+FFFD and are counted in a line on standard error. Error(missing_input) when there is no text at
// all, Error(bad_data) for a line above 1 MiB, which would be answered in parts.
void for_text_batches(std::span<const std::string> args, std::int64_t batch_size,
                      const std::function<void(std::span<const std::string>)>& visit);

// The same for the lines of a file; `-` is standard input.
void for_file_batches(const std::string& file, std::int64_t batch_size,
                      const std::function<void(std::span<const std::string>)>& visit);

}  // namespace mgd
