#include "mgd/report/html.h"

#include <cstdint>
#include <utility>

#include "mgd/core/error.h"

namespace mgd {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

struct Decoded {
  std::uint32_t code;
  std::size_t length;  // 0: not UTF-8
};

// One code point by the table of the Unicode standard (D92): no overlong forms, no surrogates, nothing above
// U+10FFFF.
Decoded decode_utf8(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0) return {0, 0};
  std::uint32_t code = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {0, 0};
    code = (code << 6U) | (byte(i) & 0x3FU);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  if (overlong || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) return {0, 0};
  return {code, length};
}

bool is_deceptive(std::uint32_t code) {
  return (code >= 0x80 &&
          code <= 0x9F) ||  // second set of control characters: U+009B starts terminal sequences
         code == 0x200E ||
         code == 0x200F || (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) ||
         code == 0x2028 || code == 0x2029;
}

void append_control_picture(std::string& out, std::uint32_t code) {
  const std::uint32_t picture = code == 0x7F ? 0x2421 : 0x2400 + code;
  out += '\xE2';
  out += static_cast<char>(0x80U | ((picture >> 6U) & 0x3FU));
  out += static_cast<char>(0x80U | (picture & 0x3FU));
}

std::string escape(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, length] = decode_utf8(text, i);
    if (length == 0 || is_deceptive(code)) {
      out += kReplacement;
    } else if (code == '&') {
      out += "&amp;";
    } else if (code == '<') {
      out += "&lt;";
    } else if (code == '>') {
      out += "&gt;";
    } else if (code == '"') {
      out += "&quot;";
    } else if (code == '\'') {
      out += "&#39;";
    } else if ((code < 0x20 || code == 0x7F) && !(keep_lines && (code == '\n' || code == '\t'))) {
      append_control_picture(out, code);
    } else {
      out += text.substr(i, length);
    }
    i += length == 0 ? 1 : length;
  }
  return out;
}

}  // namespace

std::string escape_html(std::string_view text) {
  return escape(text, false);
}

std::string escape_html_block(std::string_view text) {
  return escape(text, true);
}

void Html::start(const std::string& tag, const HtmlAttributes& attributes) {
  out_ += '<' + tag;
  for (const auto& [name, value] : attributes) out_ += ' ' + name + "=\"" + escape_html(value) + '"';
}

Html& Html::open(const std::string& tag, const HtmlAttributes& attributes) {
  start(tag, attributes);
  out_ += '>';
  open_.push_back(tag);
  return *this;
}

Html& Html::close(std::string_view tag) {
  MGD_ASSERT(!open_.empty() && open_.back() == tag);
  out_ += "</" + open_.back() + ">\n";
  open_.pop_back();
  return *this;
}

Html& Html::empty(const std::string& tag, const HtmlAttributes& attributes) {
  start(tag, attributes);
  out_ += "/>";  // void elements ignore the slash, SVG needs it
  return *this;
}

Html& Html::text(std::string_view text) {
  out_ += escape_html(text);
  return *this;
}

Html& Html::block(std::string_view text) {
  out_ += escape_html_block(text);
  return *this;
}

Html& Html::element(const std::string& tag, std::string_view text, const HtmlAttributes& attributes) {
  start(tag, attributes);
  out_ += '>' + escape_html(text) + "</" + tag + '>';
  return *this;
}

Html& Html::raw(std::string_view markup) {
  out_ += markup;
  return *this;
}

std::string Html::take() {
  MGD_ASSERT(open_.empty());
  return std::exchange(out_, {});
}

}  // namespace mgd
