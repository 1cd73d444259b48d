// Times a tokenizer on the lines of a text: for each line read from stdin one pass over all of them, and the
// CPU seconds of that pass, the number of tokens and the bytes on stdout. scripts/slow/tokenizer_speed.py
// drives it.
//
//   tokenizer_bench tokenizer.json TEXT
#include <fmt/core.h>

#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>
#include <vector>

#include "mgd/text/tokenizer.h"

namespace {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const double start = cpu_seconds();
  const mgd::Tokenizer tokenizer = mgd::Tokenizer::load(argv[1]);
  fmt::print("{}\n", cpu_seconds() - start);
  std::fflush(stdout);
  const std::string text = mgd::read_file(argv[2]);
  const std::vector<std::string> lines = lines_of(text);
  for (std::string go; std::getline(std::cin, go);) {
    const double begin = cpu_seconds();
    std::size_t tokens = 0;
    for (const std::string& line : lines) tokens += tokenizer.encode(line, {.file_limits = false}).size();
    fmt::print("{} {} {}\n", cpu_seconds() - begin, tokens, text.size());
    std::fflush(stdout);
  }
  return 0;
}
