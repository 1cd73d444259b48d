// The safetensors format: a header length, a JSON header, the tensors' bytes. Nothing in it can be executed.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mgd {

// In the reference library's order, which is also the order (from the back) in which tensors are written.
enum class Dtype {
  boolean,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e4m3_fnuz,
  f8_e5m2_fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64
};

std::string_view dtype_name(Dtype dtype);  // "F32", as written in files
std::int64_t dtype_bytes(Dtype dtype);

struct TensorView {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<std::int64_t> shape;  // {} is a scalar, a 0 in it an empty tensor
  std::string_view bytes;           // little-endian, row by row; borrowed
  std::uint64_t offset = 0,
                num_bytes = 0;  // of a file that was read: its bytes from the beginning of the file
};

struct SafetensorsContent {
  std::map<std::string, std::string> metadata;
  std::vector<TensorView> tensors;  // in the order of their bytes
};

// Throws Error(bad_data) naming `source` for whatever the reference library refuses: a header above 100 MB or
// not JSON, unknown dtypes, sizes that do not match shapes, holes, overlaps, bytes after the last tensor.
// Refuses a few things more that the reference lets pass: repeated keys anywhere, whitespace before the
// header, an entry that is a list, extents that no tensor can have, and the dtypes F4, F6_* and F8_E8M0. The
// views borrow from `bytes`.
SafetensorsContent parse_safetensors(std::string_view bytes, const std::string& source);

// The same of a file that is not read as a whole: `start` are its first safetensors_header_bytes() at least.
// The tensors' `bytes` are empty. Which bytes those are, the first 8 tell.
std::uint64_t safetensors_header_bytes(std::string_view start, std::uint64_t file_bytes,
                                       const std::string& source);
SafetensorsContent parse_safetensors_header(std::string_view start, std::uint64_t file_bytes,
                                            const std::string& source);

// {"format":"pt"} is always in the metadata. Tensors are sorted by dtype, widest first, then by name: byte
// for byte what the reference writes. Bytes that are no UTF-8 in names and metadata become U+FFFD.
std::string write_safetensors(std::vector<TensorView> tensors,
                              const std::map<std::string, std::string>& metadata);

// Throws Error(refused) when `bytes` begin like a Python pickle (or a PyTorch zip file): loading one can run
// any code. The message holds the command that converts it, safe to paste whatever the file's name.
void refuse_pickle(std::string_view bytes, const std::string& source);

// Throws Error(bad_data) when `bytes` are what a download left in place of the file: a Git LFS pointer, a web
// page.
void refuse_stand_in(std::string_view bytes, const std::string& source);

// *.safetensors.index.json: tensor name -> shard file name. Throws Error(refused) for a shard outside the
// folder and Error(bad_data) for anything that is no such index.
std::map<std::string, std::string> parse_shard_index(std::string_view json, const std::string& source);

}  // namespace mgd
