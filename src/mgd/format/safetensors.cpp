#include "mgd/format/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <set>

#include "mgd/core/error.h"
#include "mgd/format/safetensors_header.h"

namespace mgd {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian and is read without swapping");

namespace {

struct DtypeInfo {
  Dtype dtype;
  std::string_view name;
  std::int64_t bytes;
};
constexpr std::array kDtypes{DtypeInfo{Dtype::boolean, "BOOL", 1},
                             DtypeInfo{Dtype::u8, "U8", 1},
                             DtypeInfo{Dtype::i8, "I8", 1},
                             DtypeInfo{Dtype::f8_e5m2, "F8_E5M2", 1},
                             DtypeInfo{Dtype::f8_e4m3, "F8_E4M3", 1},
                             DtypeInfo{Dtype::f8_e4m3_fnuz, "F8_E4M3FNUZ", 1},
                             DtypeInfo{Dtype::f8_e5m2_fnuz, "F8_E5M2FNUZ", 1},
                             DtypeInfo{Dtype::i16, "I16", 2},
                             DtypeInfo{Dtype::u16, "U16", 2},
                             DtypeInfo{Dtype::f16, "F16", 2},
                             DtypeInfo{Dtype::bf16, "BF16", 2},
                             DtypeInfo{Dtype::i32, "I32", 4},
                             DtypeInfo{Dtype::u32, "U32", 4},
                             DtypeInfo{Dtype::f32, "F32", 4},
                             DtypeInfo{Dtype::c64, "C64", 8},
                             DtypeInfo{Dtype::f64, "F64", 8},
                             DtypeInfo{Dtype::i64, "I64", 8},
                             DtypeInfo{Dtype::u64, "U64", 8}};

// The format has them, but no tensor of ours does.
constexpr std::array<std::string_view, 4> kUnsupported{"F4", "F6_E2M3", "F6_E3M2", "F8_E8M0"};

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;

const DtypeInfo& info_of(Dtype dtype) {
  return *std::find_if(kDtypes.begin(), kDtypes.end(), [&](const DtypeInfo& i) { return i.dtype == dtype; });
}

using json = nlohmann::json;

std::uint64_t unsigned_of(const json& value, const std::string& what) {
  if (!value.is_number_unsigned())
    fail(ExitCode::bad_data, "{}: got {}, expected a whole number from 0", what, shown(value));
  return value.get<std::uint64_t>();
}

Dtype parse_dtype(const json& value, const std::string& what) {
  const auto* known =
      std::find_if(kDtypes.begin(), kDtypes.end(), [&](const DtypeInfo& i) { return value == i.name; });
  if (known != kDtypes.end()) return known->dtype;
  if (std::any_of(kUnsupported.begin(), kUnsupported.end(), [&](auto name) { return value == name; }))
    fail(ExitCode::bad_data, "{}: dtype {} is not supported", what, shown(value));
  fail(ExitCode::bad_data, "{}: unknown dtype {}", what, shown(value));
}

// Fills view.shape and returns the bytes that it needs. The reference multiplies from the front and refuses
// what overflows on the way, even if a 0 follows. Beyond that, strides (the products from the back, 0
// counting as 1) must fit, or no tensor can have the shape.
std::uint64_t parse_shape(const json& shape, const std::string& what, TensorView& view) {
  if (!shape.is_array()) fail(ExitCode::bad_data, "{}: shape is not a list", what);
  std::uint64_t elements = 1, bytes = 0;
  std::int64_t stride = 1;
  bool fits = true;
  for (const json& extent : shape) {
    const std::uint64_t size = unsigned_of(extent, what + ": shape");
    const bool possible =
        size <= std::uint64_t{INT64_MAX} && !__builtin_mul_overflow(elements, size, &elements);
    fits = fits && possible;
    view.shape.push_back(static_cast<std::int64_t>(size));
  }
  for (std::size_t i = view.shape.size(); fits && i-- > 1;)
    fits = !__builtin_mul_overflow(stride, std::max<std::int64_t>(view.shape[i], 1), &stride);
  if (!fits || __builtin_mul_overflow(elements, static_cast<std::uint64_t>(dtype_bytes(view.dtype)), &bytes))
    fail(ExitCode::bad_data, "{}: shape {} overflows", what, shown(shape));
  return bytes;
}

// Its place, of which the bytes are not there yet. `data`: where they begin in the file, and how many there
// are.
struct DataPlace {
  std::uint64_t offset = 0, bytes = 0;
};
TensorView parse_tensor(const std::string& name, const json& entry, DataPlace data,
                        const std::string& source) {
  const std::string what = fmt::format("{}: tensor {}", source, shown(name));
  // Other keys are let pass, as the reference does: later versions of the format may add some.
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets"))
    fail(ExitCode::bad_data, "{}: expected dtype, shape and data_offsets", what);
  TensorView view{.name = name, .dtype = parse_dtype(entry["dtype"], what), .shape = {}, .bytes = {}};
  const std::uint64_t expected = parse_shape(entry["shape"], what, view);
  const json& offsets = entry["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2)
    fail(ExitCode::bad_data, "{}: data_offsets {}: expected two numbers", what, shown(offsets));
  const std::uint64_t begin = unsigned_of(offsets[0], what + ": data_offsets");
  const std::uint64_t end = unsigned_of(offsets[1], what + ": data_offsets");
  if (begin > end || end > data.bytes)
    fail(ExitCode::bad_data, "{}: bytes {} to {}, the file holds {}", what, begin, end, data.bytes);
  if (end - begin != expected)
    fail(ExitCode::bad_data, "{}: {} bytes, its shape {} needs {}", what, end - begin, shown(entry["shape"]),
         expected);
  view.offset = data.offset + begin;
  view.num_bytes = end - begin;
  return view;
}

std::map<std::string, std::string> parse_metadata(const json& entry, const std::string& source) {
  std::map<std::string, std::string> metadata;
  if (entry.is_null()) return metadata;
  if (!entry.is_object()) fail(ExitCode::bad_data, "{}: __metadata__ is not an object", source);
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string())
      fail(ExitCode::bad_data, "{}: __metadata__ {} is not a text: {}", source, shown(key), shown(value));
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

// The bytes are tiled by the tensors: no holes, no overlaps, nothing after the last.
void sort_and_check_tiling(std::vector<TensorView>& tensors, DataPlace data, const std::string& source) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorView& a, const TensorView& b) {
    return std::pair(a.offset, a.num_bytes) < std::pair(b.offset, b.num_bytes);
  });
  std::uint64_t position = data.offset;
  for (const auto& tensor : tensors) {
    if (tensor.offset != position)
      fail(ExitCode::bad_data, "{}: tensor {} leaves a hole or overlaps another", source, shown(tensor.name));
    position += tensor.num_bytes;
  }
  if (position != data.offset + data.bytes)
    fail(ExitCode::bad_data, "{}: {} bytes after the last tensor", source,
         data.offset + data.bytes - position);
}

}  // namespace

// Refuses a repeated key in any object: two meanings of one file are one too many.
json parse_json_object(std::string_view text, const std::string& source) {
  // The JSON library takes a NUL for the end and skips a byte order mark, where nothing may follow or
  // precede.
  if (text.find('\0') != std::string_view::npos || text.starts_with("\xEF\xBB\xBF"))
    fail(ExitCode::bad_data, "{}: a NUL or a byte order mark in what should be JSON", source);
  constexpr int kMaxDepth = 127;  // as the reference's parser
  std::vector<std::set<std::string>> seen;
  const auto check = [&](int depth, json::parse_event_t event, json& value) {
    const bool opens =
        event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= kMaxDepth)
      fail(ExitCode::bad_data, "{}: JSON is nested more than {} deep", source, kMaxDepth);
    if (event == json::parse_event_t::object_start) seen.emplace_back();
    if (event == json::parse_event_t::object_end) seen.pop_back();
    if (event == json::parse_event_t::key && !seen.back().insert(value.get<std::string>()).second)
      fail(ExitCode::bad_data, "{}: {} stands twice in one JSON object", source, shown(value));
    return true;
  };
  try {
    json parsed = json::parse(text, check);
    if (!parsed.is_object()) fail(ExitCode::bad_data, "{}: not a JSON object", source);
    return parsed;
  } catch (const json::exception& error) {
    fail(ExitCode::bad_data, "{}: not JSON: {}", source, error.what());
  }
}

std::string shown(const json& value) {
  constexpr std::size_t kMost = 100;
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
  if (text.size() > kMost) text.replace(kMost, std::string::npos, "...");
  return text;
}

std::string_view dtype_name(Dtype dtype) {
  return info_of(dtype).name;
}
std::int64_t dtype_bytes(Dtype dtype) {
  return info_of(dtype).bytes;
}

std::uint64_t safetensors_header_bytes(std::string_view start, std::uint64_t file_bytes,
                                       const std::string& source) {
  if (file_bytes < 8 || start.size() < 8)
    fail(ExitCode::bad_data, "{}: {} bytes are too few for a safetensors file", source, file_bytes);
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, start.data(), 8);
  if (header_bytes > kMaxHeaderBytes || header_bytes > file_bytes - 8)
    fail(ExitCode::bad_data, "{}: a header of {} bytes in a file of {}; not a safetensors file?", source,
         header_bytes, file_bytes);
  return 8 + header_bytes;
}

SafetensorsContent parse_safetensors_header(std::string_view start, std::uint64_t file_bytes,
                                            const std::string& source) {
  const std::uint64_t header_bytes = safetensors_header_bytes(start, file_bytes, source);
  MGD_ASSERT(start.size() >= header_bytes);
  const std::string_view text = start.substr(8, header_bytes - 8);
  if (text.empty() || text.front() != '{')
    fail(ExitCode::bad_data, "{}: the header does not begin with '{{'", source);
  const json header = parse_json_object(text, source + ": header");
  const DataPlace data{.offset = header_bytes, .bytes = file_bytes - header_bytes};
  SafetensorsContent content;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__")
      content.metadata = parse_metadata(entry, source);
    else
      content.tensors.push_back(parse_tensor(name, entry, data, source));
  }
  sort_and_check_tiling(content.tensors, data, source);
  return content;
}

SafetensorsContent parse_safetensors(std::string_view bytes, const std::string& source) {
  SafetensorsContent content = parse_safetensors_header(bytes, bytes.size(), source);
  for (TensorView& tensor : content.tensors) tensor.bytes = bytes.substr(tensor.offset, tensor.num_bytes);
  return content;
}

std::string write_safetensors(std::vector<TensorView> tensors,
                              const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorView& a, const TensorView& b) {
    return a.dtype != b.dtype ? a.dtype > b.dtype : a.name < b.name;
  });
  nlohmann::ordered_json header;
  std::map<std::string, std::string> all = metadata;
  all["format"] = "pt";
  header["__metadata__"] = all;
  std::uint64_t offset = 0;
  for (const auto& tensor : tensors) {
    MGD_ASSERT(tensor.name != "__metadata__" && !header.contains(tensor.name));
    header[tensor.name] = {{"dtype", dtype_name(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // aligns the tensors for readers that map the file
  const std::uint64_t header_bytes = text.size();
  std::string out(8, '\0');
  std::memcpy(out.data(), &header_bytes, 8);
  out.reserve(8 + text.size() + offset);
  out += text;
  for (const auto& tensor : tensors) out += tensor.bytes;
  return out;
}

}  // namespace mgd
