#include "mgd/text/byte_level.h"

#include "mgd/text/unicode.h"

namespace mgd {

namespace {

constexpr bool is_printable_byte(unsigned b) {
  return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
}

constexpr std::array<char32_t, 256> make_byte_characters() {
  std::array<char32_t, 256> out{};
  char32_t next = 0x100;
  for (unsigned b = 0; b < 256; ++b) out[b] = is_printable_byte(b) ? static_cast<char32_t>(b) : next++;
  return out;
}
constexpr std::array<char32_t, 256> kByteCharacters = make_byte_characters();

enum class Kind { letter, number, space, other };

Kind kind_of(char32_t c) {
  if (is_letter(c)) return Kind::letter;
  if (is_white_space(c)) return Kind::space;
  return is_number(c) ? Kind::number : Kind::other;
}

// The end of the run of one kind that goes on at `at`.
std::size_t run_end(std::string_view text, std::size_t at, Kind kind) {
  while (at < text.size()) {
    std::size_t next = at;
    if (kind_of(next_code_point(text, next)) != kind) break;
    at = next;
  }
  return at;
}

std::size_t contraction_bytes(std::string_view rest) {
  for (const std::string_view ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"})
    if (rest.starts_with(ending)) return ending.size();
  return 0;
}

std::size_t word_end(std::string_view text, std::size_t at) {
  if (text[at] == '\'')
    if (const std::size_t n = contraction_bytes(text.substr(at))) return at + n;
  std::size_t next = at;
  const char32_t c = next_code_point(text, next);
  Kind kind = kind_of(c);
  if (c == ' ' && next < text.size()) {  // a single space joins the word behind it
    std::size_t behind = next;
    kind = kind_of(next_code_point(text, behind));
    if (kind != Kind::space) return run_end(text, behind, kind);
  }
  if (kind != Kind::space) return run_end(text, next, kind);
  // White space leaves its last character to the word behind it, unless it is one character alone.
  const std::size_t end = run_end(text, next, Kind::space);
  if (end == text.size() || end == next) return end;
  return end - last_code_point_bytes(text, end);
}

class ByteLevel final : public PreTokenizer {
 public:
  explicit ByteLevel(const JsonPlace& json)
      : add_prefix_space_(json.at("add_prefix_space").boolean()),
        use_regex_(json.boolean_or("use_regex", true)) {}

  void apply(SplitText& text) const override {
    SplitText out;
    out.text.start = text.text.start;
    out.text.reserve(text.text.bytes.size() + text.text.bytes.size() / 8 + 16);
    out.splits.reserve(text.text.bytes.size() / 4 + text.splits.size());
    std::vector<std::size_t> ends;
    for (const Split& split : text.splits) {
      if (split.added_token >= 0) {
        const std::size_t begin = out.text.bytes.size();
        out.text.append(text.text, split.begin, split.end);
        out.splits.push_back({begin, out.text.bytes.size(), split.added_token});
      } else if (add_prefix_space_ && text.text.bytes[split.begin] != ' ') {
        AlignedText prefixed;
        prefixed.append(text.text, split.begin, split.end);
        prefixed.prepend(" ");
        spell(prefixed, 0, prefixed.bytes.size(), ends, out);
      } else {
        spell(text.text, split.begin, split.end, ends, out);
      }
    }
    text = std::move(out);
  }

 private:
  void spell(const AlignedText& in, std::size_t begin, std::size_t end, std::vector<std::size_t>& ends,
             SplitText& out) const {
    const std::string_view text = std::string_view(in.bytes).substr(begin, end - begin);
    ends.clear();
    if (use_regex_)
      find_gpt2_words(text, ends);
    else
      ends.push_back(text.size());
    std::size_t at = 0;
    for (const std::size_t word : ends) {
      const std::size_t out_begin = out.text.bytes.size();
      for (; at < word; ++at)
        out.text.put(kByteCharacters[static_cast<unsigned char>(text[at])], in.origins[begin + at]);
      out.splits.push_back({out_begin, out.text.bytes.size()});
    }
  }

  bool add_prefix_space_, use_regex_;
};

}  // namespace

const std::array<char32_t, 256>& byte_characters() {
  return kByteCharacters;
}

std::optional<unsigned char> byte_of_character(char32_t c) {
  if (c < 256) return is_printable_byte(c) ? std::optional(static_cast<unsigned char>(c)) : std::nullopt;
  for (unsigned b = 0; c < 0x144 && b < 256; ++b)
    if (kByteCharacters[b] == c) return static_cast<unsigned char>(b);
  return std::nullopt;
}

void find_gpt2_words(std::string_view text, std::vector<std::size_t>& ends) {
  for (std::size_t at = 0; at < text.size();) {
    at = word_end(text, at);
    ends.push_back(at);
  }
}

std::unique_ptr<const PreTokenizer> read_byte_level(const JsonPlace& json) {
  return std::make_unique<ByteLevel>(json);
}

}  // namespace mgd
