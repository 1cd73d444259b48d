#include "mgd/data/text_frame.h"

#include <set>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// Some text of the vocabulary: a small one may lack any given letter.
template <class Encode>
Encoding probe(const Tokenizer& tokenizer, const Encode& encode) {
  std::vector<std::string> texts = {"a", "e", "0"};
  for (std::int64_t id = 0; id < tokenizer.vocab_size() && texts.size() < 200; ++id)
    if (tokenizer.has_id(id) && !tokenizer.is_special(id)) texts.push_back(tokenizer.decode({&id, 1}));
  for (const std::string& text : texts) {
    try {
      Encoding encoding = encode(text);
      for (const std::uint8_t special : encoding.special)
        if (special == 0) return encoding;
    } catch (const Error& error) {
      if (error.code() != ExitCode::bad_data) throw;  // no unknown token, and the text needs one
    }
  }
  fail(ExitCode::bad_data, "tokenizer: none of its own tokens can be tokenised");
}

// The special tokens from `at` on.
FramePart take_special(const Encoding& encoding, std::size_t& at) {
  FramePart part;
  for (; at < encoding.size() && encoding.special[at] != 0; ++at) {
    part.ids.push_back(encoding.ids[at]);
    part.type_ids.push_back(encoding.type_ids[at]);
  }
  return part;
}

std::int64_t skip_text(const Encoding& encoding, std::size_t& at) {
  const std::int64_t type = at < encoding.size() ? encoding.type_ids[at] : 0;
  while (at < encoding.size() && encoding.special[at] == 0) ++at;
  return type;
}

void append(const FramePart& part, TextSequence& out) {
  out.ids.insert(out.ids.end(), part.ids.begin(), part.ids.end());
  out.type_ids.insert(out.type_ids.end(), part.type_ids.begin(), part.type_ids.end());
  out.word_start.insert(out.word_start.end(), part.ids.size(), 1);
}

void append(const TokenPiece& text, std::int64_t type, TextSequence& out) {
  out.ids.insert(out.ids.end(), text.ids.begin(), text.ids.end());
  out.type_ids.insert(out.type_ids.end(), text.ids.size(), type);
  out.word_start.insert(out.word_start.end(), text.word_start.begin(), text.word_start.end());
}

}  // namespace

TextFrame single_frame(const Tokenizer& tokenizer) {
  const Encoding encoding = probe(
      tokenizer, [&](const std::string& text) { return tokenizer.encode(text, {.file_limits = false}); });
  TextFrame frame;
  std::size_t at = 0;
  frame.before = take_special(encoding, at);
  frame.first_type = skip_text(encoding, at);
  frame.after = take_special(encoding, at);
  return frame;
}

TextFrame document_frame(const Tokenizer& tokenizer) {
  TextFrame frame = single_frame(tokenizer);
  const std::int64_t end = tokenizer.special_tokens().eos;
  if (end >= 0 && (frame.after.ids.empty() || frame.after.ids.back() != end)) {
    frame.after.ids.push_back(end);
    frame.after.type_ids.push_back(0);
  }
  return frame;
}

TextFrame pair_frame(const Tokenizer& tokenizer) {
  const Encoding encoding = probe(tokenizer, [&](const std::string& text) {
    return tokenizer.encode_pair(text, text, {.file_limits = false});
  });
  TextFrame frame;
  std::size_t at = 0;
  frame.before = take_special(encoding, at);
  frame.first_type = skip_text(encoding, at);
  frame.between = take_special(encoding, at);
  if (at == encoding.size()) {  // nothing stands between: the two texts were one stretch
    frame.second_type = encoding.type_ids[at - frame.between.ids.size() - 1];
    std::swap(frame.between, frame.after);
    return frame;
  }
  frame.second_type = skip_text(encoding, at);
  frame.after = take_special(encoding, at);
  return frame;
}

std::vector<std::int64_t> uncounted_ids(const Tokenizer& tokenizer, bool unknown) {
  const TextFrame frame = single_frame(tokenizer);
  std::set<std::int64_t> ids(frame.before.ids.begin(), frame.before.ids.end());
  ids.insert(frame.after.ids.begin(), frame.after.ids.end());
  if (const auto id = tokenizer.unknown_id(); id && unknown) ids.insert(*id);
  return {ids.begin(), ids.end()};
}

TextSequence framed(const TextFrame& frame, const TokenPiece& text) {
  TextSequence out;
  append(frame.before, out);
  append(text, frame.first_type, out);
  append(frame.after, out);
  return out;
}

TextSequence framed(const TextFrame& frame, const TokenPiece& first, const TokenPiece& second) {
  TextSequence out;
  append(frame.before, out);
  append(first, frame.first_type, out);
  append(frame.between, out);
  append(second, frame.second_type, out);
  append(frame.after, out);
  return out;
}

}  // namespace mgd
