#include "mgd/cli/text_input.h"

#include <fmt/core.h>

#include <cstdio>
#include <iostream>
#include <vector>

#include "mgd/core/error.h"
#include "mgd/text/lines.h"
#include "mgd/text/utf8.h"

namespace mgd {

namespace {

class TextBatches {
 public:
  TextBatches(std::int64_t batch_size, const std::function<void(std::span<const std::string>)>& visit)
      : batch_size_(static_cast<std::size_t>(batch_size)), visit_(visit) {}

  void add(const std::string& text) {
    any_ = true;
    batch_.push_back(valid_utf8_prefix(text) == text.size() ? text : valid_utf8(text, &num_invalid_));
    if (batch_.size() == batch_size_) give();
  }

  void give() {
    if (!batch_.empty()) visit_(batch_);
    batch_.clear();
    std::fflush(stdout);
  }

  // `waiting`: whether a further line can be had without waiting for it.
  void read(LineReader& lines, const std::string& name, const std::function<bool()>& waiting) {
    std::int64_t number = 0;
    for (std::string line; lines.next(line);) {
      ++number;
      if (lines.num_cut() > 0)
        fail(ExitCode::bad_data, "{}:{}: a line above {} bytes, which would be answered in parts", name,
             number, LineReader::kMaxBytes);
      while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
      add(line);
      if (!waiting()) give();
    }
  }

  void read_stdin() {
    std::ios::sync_with_stdio(false);  // otherwise nobody knows what is there to be read
    LineReader lines(std::cin, "stdin");
    read(lines, "stdin", [] { return std::cin.rdbuf()->in_avail() > 0; });
  }

  void finish(const std::string& nothing) {
    give();
    if (!any_) fail(ExitCode::missing_input, "{}", nothing);
    if (num_invalid_ > 0) fmt::print(stderr, "{} places were no UTF-8 and count as U+FFFD\n", num_invalid_);
  }

 private:
  const std::size_t batch_size_;
  const std::function<void(std::span<const std::string>)>& visit_;
  std::vector<std::string> batch_;
  std::int64_t num_invalid_ = 0;
  bool any_ = false;
};

}  // namespace

void for_text_batches(std::span<const std::string> args, std::int64_t batch_size,
                      const std::function<void(std::span<const std::string>)>& visit) {
  TextBatches batches(batch_size, visit);
  for (const std::string& arg : args) {
    if (arg == "-")
      batches.read_stdin();
    else
      batches.add(arg);
  }
  batches.finish("-: no text on standard input");
}

void for_file_batches(const std::string& file, std::int64_t batch_size,
                      const std::function<void(std::span<const std::string>)>& visit) {
  TextBatches batches(batch_size, visit);
  if (file == "-") {
    batches.read_stdin();
  } else {
    LineReader lines{fs::path(file)};
    batches.read(lines, file, [] { return true; });
  }
  batches.finish(file + ": no text there");
}

}  // namespace mgd
