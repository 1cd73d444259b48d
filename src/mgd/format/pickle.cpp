#include <array>

#include "mgd/core/error.h"
#include "mgd/format/safetensors.h"

namespace mgd {

namespace {

// For a POSIX shell: nothing between single quotes has a meaning, and a quote itself is put outside of them.
std::string shell_quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

// A header of 640 bytes begins "\x80\x02" too. But where a safetensors file has the high, zero bytes of a
// length and then '{', a pickle has opcodes, and in a frame header of protocol 4 or 5 a zero.
bool looks_like_safetensors(std::string_view bytes) {
  return bytes.size() > 8 && bytes.substr(4, 4) == std::string_view("\0\0\0\0", 4) && bytes[8] == '{';
}

bool looks_like_pickle(std::string_view bytes) {
  if (looks_like_safetensors(bytes)) return false;
  // Protocols 2 to 5; torch.save's zip (and an empty zip); torch.save before 1.6 is a pickle; protocols 0 and
  // 1 have no magic, but a state dict begins in one of these ways.
  if (bytes.size() >= 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5) return true;
  constexpr std::array<std::string_view, 5> kStarts{"PK\x03\x04", "PK\x05\x06", "ccollections\n", "(dp",
                                                    "}q"};
  for (const auto start : kStarts)
    if (bytes.starts_with(start)) return true;
  return false;
}

}  // namespace

void refuse_stand_in(std::string_view bytes, const std::string& source) {
  if (!bytes.starts_with("version https://git-lfs.github.com/spec/")) return;
  fail(ExitCode::bad_data,
       "{}: only a Git LFS pointer, not the file itself; fetch it with `git lfs pull` in its folder, or "
       "download the "
       "file",
       source);
}

void refuse_pickle(std::string_view bytes, const std::string& source) {
  if (!looks_like_pickle(bytes)) return;
  // The path is an argument, never part of the Python text; "--" is not needed as python3 -c takes no options
  // after it.
  fail(
      ExitCode::refused,
      "{}: a pickle file; loading one can run any code, so it is never read. Convert it where you trust it:\n"
      "  python3 -c \"import sys, torch, safetensors.torch as s; "
      "d = torch.load(sys.argv[1], map_location='cpu', weights_only=True); "
      "d = d.get('state_dict', d); "
      "s.save_file({{k: v.contiguous().clone() for k, v in d.items()}}, sys.argv[1] + '.safetensors')\" {}",
      source, shell_quoted(source));
}

}  // namespace mgd
