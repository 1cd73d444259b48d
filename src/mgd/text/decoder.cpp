#include "mgd/text/decoder.h"

#include <algorithm>
#include <functional>

#include "mgd/core/error.h"
#include "mgd/text/byte_level.h"
#include "mgd/text/component.h"
#include "mgd/text/metaspace.h"

namespace mgd {

namespace {

using Tokens = std::vector<std::string>;

class Step final : public Decoder {
 public:
  explicit Step(std::function<void(Tokens&)> rewrite) : rewrite_(std::move(rewrite)) {}
  void apply(Tokens& tokens) const override { rewrite_(tokens); }

 private:
  std::function<void(Tokens&)> rewrite_;
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

// The spaces that a writer of English would not have put.
void clean_up(std::string& token) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},   {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [from, to] : kRules) replace_all(token, from, to);
}

void decode_wordpiece(Tokens& tokens, const std::string& prefix, bool cleanup) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) {
      if (tokens[i].starts_with(prefix))
        tokens[i].erase(0, prefix.size());
      else
        tokens[i].insert(0, " ");
    }
    if (cleanup) clean_up(tokens[i]);
  }
}

// A token with a character that is no byte's stands for its own text.
std::string spelled_bytes(const std::string& token) {
  std::string out;
  for (std::size_t at = 0; at < token.size();) {
    const auto byte = byte_of_character(next_code_point(token, at));
    if (!byte) return token;
    out.push_back(static_cast<char>(*byte));
  }
  return out;
}

void decode_byte_level(Tokens& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) bytes += spelled_bytes(token);
  tokens = {valid_utf8(bytes)};
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// "<0xE2>" -> the byte; the package's number parser takes a sign as well.
std::optional<char> byte_of_token(const std::string& token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  const int high = token[3] == '+' ? 0 : hex_value(token[3]), low = hex_value(token[4]);
  return high < 0 || low < 0 ? std::nullopt : std::optional(static_cast<char>(high * 16 + low));
}

// Runs of byte tokens that make no text become one U+FFFD a byte.
void decode_byte_fallback(Tokens& tokens) {
  Tokens out;
  std::string bytes;
  const auto flush = [&] {
    if (bytes.empty()) return;
    if (valid_utf8_prefix(bytes) == bytes.size())
      out.push_back(bytes);
    else
      out.insert(out.end(), bytes.size(), to_utf8(kReplacementCharacter));
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const auto byte = byte_of_token(token)) {
      bytes.push_back(*byte);
      continue;
    }
    flush();
    out.push_back(std::move(token));
  }
  flush();
  tokens = std::move(out);
}

void decode_metaspace(Tokens& tokens, const MetaspaceOptions& options) {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    std::string out;
    for (std::size_t at = 0; at < tokens[i].size();) {
      const char32_t c = next_code_point(tokens[i], at);
      if (c != options.replacement)
        append_utf8(out, c);
      else if (i > 0 || options.prepend == PrependScheme::never)
        out.push_back(' ');
    }
    tokens[i] = std::move(out);
  }
}

// At most `start` copies of the character from the front, `stop` from the back.
void strip(std::string& token, const std::string& character, std::int64_t start, std::int64_t stop) {
  for (std::int64_t i = 0; i < start && token.starts_with(character); ++i) token.erase(0, character.size());
  for (std::int64_t i = 0; i < stop && token.ends_with(character); ++i)
    token.resize(token.size() - character.size());
}

void replace_matches(std::string& token, const Regex& pattern, const std::string& content) {
  std::vector<Match> matches;
  pattern.find_all(token, matches);
  std::string out;
  for (const Match& match : matches)
    out += match.matched ? std::string_view(content)
                         : std::string_view(token).substr(match.begin, match.end - match.begin);
  token = std::move(out);
}

class Sequence final : public Decoder {
 public:
  Sequence(const JsonPlace& json, int depth) {
    for (const JsonPlace& item : json.at("decoders").items()) steps_.push_back(read_decoder(item, depth + 1));
  }
  void apply(Tokens& tokens) const override {
    for (const auto& step : steps_) step->apply(tokens);
  }

 private:
  std::vector<std::unique_ptr<const Decoder>> steps_;
};

std::unique_ptr<const Decoder> each_token(std::function<void(std::string&)> rewrite) {
  return std::make_unique<Step>([rewrite = std::move(rewrite)](Tokens& tokens) {
    for (std::string& token : tokens) rewrite(token);
  });
}

std::unique_ptr<const Decoder> read_bpe_decoder(const JsonPlace& json) {
  return std::make_unique<Step>([suffix = json.at("suffix").text()](Tokens& tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
  });
}

}  // namespace

std::unique_ptr<const Decoder> read_decoder(const JsonPlace& json, int depth) {
  if (depth > kMaxComponentDepth) json.refuse(fmt::format("nested more than {} deep", kMaxComponentDepth));
  const std::string type = json.at("type").text();
  if (type == "WordPiece")
    return std::make_unique<Step>([prefix = json.at("prefix").text(), cleanup = json.at("cleanup").boolean()](
                                      Tokens& tokens) { decode_wordpiece(tokens, prefix, cleanup); });
  if (type == "ByteLevel") return std::make_unique<Step>(decode_byte_level);
  if (type == "ByteFallback") return std::make_unique<Step>(decode_byte_fallback);
  if (type == "BPEDecoder") return read_bpe_decoder(json);
  if (type == "Metaspace")
    return std::make_unique<Step>(
        [options = read_metaspace_options(json)](Tokens& tokens) { decode_metaspace(tokens, options); });
  if (type == "Fuse")
    return std::make_unique<Step>([](Tokens& tokens) {
      std::string all;
      for (const std::string& token : tokens) all += token;
      tokens = {std::move(all)};
    });
  if (type == "Strip")
    return each_token(
        [character = to_utf8(json.at("content").character()), start = json.at("start").integer(),
         stop = json.at("stop").integer()](std::string& token) { strip(token, character, start, stop); });
  if (type == "Replace")
    return each_token([pattern = read_pattern(json.at("pattern")), content = json.at("content").text()](
                          std::string& token) { replace_matches(token, pattern, content); });
  if (type == "Sequence") return std::make_unique<Sequence>(json, depth);
  refuse_component(json, type, "decoder",
                   {"WordPiece", "ByteLevel", "ByteFallback", "BPEDecoder", "Metaspace", "Fuse", "Strip",
                    "Replace", "Sequence"});
}

}  // namespace mgd
