#include <algorithm>
#include <array>
#include <cctype>

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

// Between double quotes of a shell: no $, `, ", \ or ! in it. Of all dictionaries of tensors, nested at any
// depth, it takes the one with the most, of two as big the averaged one; the rest of a training program's
// file (its arguments, the optimizer's state) is let be. Only types that hold nothing but values are allowed
// beside tensors.
constexpr const char* kConverter = R"(import sys, argparse, pathlib, torch, safetensors.torch as s
getattr(torch.serialization, 'add_safe_globals', print)([argparse.Namespace, pathlib.PosixPath])
def found(d, name):
    if isinstance(d, dict):
        yield name, {k: v for k, v in d.items() if isinstance(k, str) and torch.is_tensor(v)}
        for k, v in d.items():
            yield from found(v, name + '/' + str(k))
d = torch.load(sys.argv[1], map_location='cpu', weights_only=True)
name, d = max(found(d, ''), key=lambda f: (len(f[1]), 'ema' in f[0]))
for p in ['module.', '_orig_mod.', 'module.']:
    if all(k.startswith(p) for k in d):
        d = {k[len(p):]: v for k, v in d.items()}
s.save_file({k: v.detach().contiguous().clone() for k, v in d.items()}, sys.argv[1] + '.safetensors')
print(len(d), 'tensors', name))";

}  // namespace

void refuse_pickle(std::string_view bytes, const std::string& source) {
  if (!looks_like_pickle(bytes)) return;
  // The path is an argument, never part of the Python text; "--" is not needed as python3 -c takes no options
  // after it.
  fail(
      ExitCode::refused,
      "{}: a pickle file; loading one can run any code, so it is never read. Convert it where you trust it:\n"
      "  python3 -c \"{}\" {}",
      source, kConverter, shell_quoted(source));
}

void refuse_stand_in(std::string_view bytes, const std::string& source) {
  if (bytes.starts_with("version https://git-lfs."))
    fail(ExitCode::bad_data,
         "{}: a Git LFS pointer, not the file that it stands for; fetch that with `git lfs pull` in its "
         "repository",
         source);
  constexpr std::string_view kPage = "<!doctype html", kTag = "<html";
  const auto starts = [&](std::string_view word) {
    return bytes.size() >= word.size() &&
           std::equal(word.begin(), word.end(), bytes.begin(),
                      [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
  };
  if (starts(kPage) || starts(kTag))
    fail(ExitCode::bad_data, "{}: a web page, not the file that was asked for; download it again", source);
}

}  // namespace mgd
