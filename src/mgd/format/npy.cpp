#include "mgd/format/npy.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <limits>

#include "mgd/core/error.h"

namespace mgd {
namespace {

constexpr std::size_t kMaxRank = 32;  // NumPy's own limit for a long time

struct Header {
  std::string descr;
  bool fortran = false;
  std::vector<std::int64_t> shape;
};

// A parser of the one Python literal that a header is: {'descr': '<f4', 'fortran_order': False, 'shape': (3,
// 2), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& source) : text_(text), source_(source) {}

  Header parse() {
    Header header;
    int seen = 0;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        if (peek() == '[') bad("a structured dtype", "a plain number type");
        header.descr = quoted();
        seen |= 1;
      } else if (key == "fortran_order") {
        header.fortran = boolean();
        seen |= 2;
      } else if (key == "shape") {
        header.shape = shape();
        seen |= 4;
      } else {
        bad("an unknown key", "descr, fortran_order and shape");
      }
      if (!accept(',') && peek() != '}') bad("no comma", "',' or '}'");
    }
    skip_space();
    if (at_ != text_.size()) bad("text after it", "nothing after '}'");
    if (seen != 7) bad("a key missing", "descr, fortran_order and shape");
    return header;
  }

 private:
  [[noreturn]] void bad(const char* got, const char* expected) const {
    fail(ExitCode::bad_data, "{}: damaged .npy header: got {} at character {}, expected {}", source_, got,
         at_, expected);
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) bad("something else", std::string(1, c).c_str());
  }
  std::string quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') bad("something else", "a string");
    const auto end = text_.find(quote, at_ + 1);
    if (end == text_.npos) bad("an open string", "its end");
    std::string out(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return out;
  }
  bool boolean() {
    skip_space();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return value;
    }
    bad("something else", "True or False");
  }
  std::vector<std::int64_t> shape() {
    std::vector<std::int64_t> out;
    expect('(');
    while (!accept(')')) {
      if (out.size() == kMaxRank) bad("more than 32 dimensions", "fewer");
      out.push_back(integer());
      if (!accept(',') && peek() != ')') bad("something else", "',' or ')'");
    }
    return out;
  }
  std::int64_t integer() {
    skip_space();
    std::int64_t value = 0;
    const std::size_t start = at_;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      if (value > (std::numeric_limits<std::int64_t>::max() - 9) / 10)
        bad("a size that overflows", "a smaller one");
      value = value * 10 + (text_[at_] - '0');
    }
    if (at_ == start) bad("something else", "a size");
    return value;
  }

  std::string_view text_;
  const std::string& source_;
  std::size_t at_ = 0;
};

std::string checked_dtype(const std::string& descr, const std::string& source) {
  if (descr.find('O') != descr.npos)
    fail(ExitCode::refused,
         "{}: dtype '{}' holds Python objects, which only unpickling could read; save plain numbers", source,
         descr.substr(0, 20));
  static constexpr std::array<std::string_view, 11> kKnown = {"u1", "i1", "i2", "u2", "i4", "u4",
                                                              "i8", "u8", "f4", "f8", "b1"};
  if (descr.size() == 3) {
    const std::string type = descr.substr(1);
    const bool order_ok = descr[0] == '<' || descr[0] == '|' || (descr[0] == '=') || type.back() == '1';
    if (order_ok && std::find(kKnown.begin(), kKnown.end(), type) != kKnown.end()) return type;
  }
  fail(ExitCode::bad_data,
       "{}: dtype '{}', expected little-endian numbers (u1 i1 u2 i2 u4 i4 u8 i8 f4 f8 b1)", source,
       descr.substr(0, 20));
}

template <class T>
double load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return static_cast<double>(value);
}

}  // namespace

std::int64_t NumberArray::count() const {
  return static_cast<std::int64_t>(bytes.size()) / item_bytes();
}

double NumberArray::number(std::int64_t index) const {
  MGD_ASSERT(index >= 0 && index < count());
  const char* at = bytes.data() + index * item_bytes();
  const bool is_signed = dtype[0] == 'i';
  if (dtype == "f4") return load<float>(at);
  if (dtype == "f8") return load<double>(at);
  switch (item_bytes()) {
    case 1:
      return is_signed ? load<std::int8_t>(at) : load<std::uint8_t>(at);
    case 2:
      return is_signed ? load<std::int16_t>(at) : load<std::uint16_t>(at);
    case 4:
      return is_signed ? load<std::int32_t>(at) : load<std::uint32_t>(at);
    default:
      return is_signed ? load<std::int64_t>(at) : load<std::uint64_t>(at);
  }
}

std::uint64_t checked_array_bytes(const std::string& source, const std::vector<std::int64_t>& shape,
                                  std::uint64_t item_bytes, std::uint64_t available) {
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  std::uint64_t bytes = empty ? 0 : item_bytes;
  for (const std::int64_t size : shape) {
    if (bytes > 0 && static_cast<std::uint64_t>(size) > available / bytes)
      fail(ExitCode::bad_data, "{}: the shape asks for more than the {} bytes that follow the header", source,
           available);
    bytes *= static_cast<std::uint64_t>(size);
  }
  if (bytes != available)
    fail(ExitCode::bad_data, "{}: the shape asks for {} bytes, {} follow the header", source, bytes,
         available);
  return bytes;
}

NumberArray read_npy(std::string_view bytes, const std::string& source) {
  if (!bytes.starts_with("\x93NUMPY") || bytes.size() < 10)
    fail(ExitCode::bad_data, "{}: not a .npy file (wrong first bytes)", source);
  const int major = static_cast<std::uint8_t>(bytes[6]);
  if (major < 1 || major > 3) fail(ExitCode::bad_data, "{}: .npy version {}, expected 1 to 3", source, major);
  const std::size_t width = major == 1 ? 2 : 4;
  if (bytes.size() < 8 + width) fail(ExitCode::bad_data, "{}: truncated .npy header", source);
  std::size_t header_bytes = 0;
  for (std::size_t i = width; i-- > 0;)
    header_bytes = header_bytes << 8 | static_cast<std::uint8_t>(bytes[8 + i]);
  bytes.remove_prefix(8 + width);
  if (header_bytes > bytes.size())
    fail(ExitCode::bad_data, "{}: truncated .npy header: {} of {} bytes", source, bytes.size(), header_bytes);
  const Header header = HeaderParser(bytes.substr(0, header_bytes), source).parse();
  bytes.remove_prefix(header_bytes);

  NumberArray array;
  array.dtype = checked_dtype(header.descr, source);
  if (header.fortran && header.shape.size() > 1)
    fail(ExitCode::bad_data, "{}: Fortran order, expected C order; save np.ascontiguousarray(array)", source);
  checked_array_bytes(source, header.shape, static_cast<std::uint64_t>(array.item_bytes()), bytes.size());
  array.shape = header.shape;
  array.bytes = std::string(bytes);
  return array;
}

}  // namespace mgd
