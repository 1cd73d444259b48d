// A tokenizer.json, and behind the first NUL a text for it.
#include <cstdint>
#include <string>

#include "mgd/core/error.h"
#include "mgd/text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t end = bytes.find('\0');
  const std::string text = end == std::string::npos ? "A text, \u00E9\u4E2D\xFF 12" : bytes.substr(end + 1);
  try {
    const mgd::Tokenizer tokenizer = mgd::Tokenizer::from_json(bytes.substr(0, end), "fuzz");
    const mgd::Encoding encoding = tokenizer.encode_pair(text, "b", {.pieces = true});
    tokenizer.decode(encoding.ids);
    mgd::DecodeStream stream(tokenizer);
    for (const std::int64_t id : encoding.ids) stream.push(id);
    stream.finish();
  } catch (const mgd::Error&) {
  }
  return 0;
}
