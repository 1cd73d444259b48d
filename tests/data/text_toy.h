// Small tokenizers and corpora for the tests of text data.
#pragma once

#include <fstream>

#include "data/toy.h"
#include "mgd/data/tokenize_corpus.h"
#include "mgd/text/tokenizer.h"
#include "mgd/text/utf8.h"

namespace mgd::toy {

// BERT's kind: words of small letters become their letters, "cab" -> c ##a ##b; [CLS] and [SEP] around texts.
inline Tokenizer letters() {
  std::string vocab = R"("[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, ".": 5)", added;
  int id = 6;
  for (char c = 'a'; c <= 'z'; ++c)
    vocab += fmt::format(R"(, "{}": {}, "##{}": {})", c, id, c, id + 26), ++id;
  const char* const special[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (int i = 0; i < 5; ++i)
    added += fmt::format(
        R"({}{{"id": {}, "content": "{}", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}})",
        i > 0 ? ", " : "", i, special[i]);
  return Tokenizer::from_json(
      R"({"version": "1.0", "added_tokens": [)" + added +
          R"(], "normalizer": null, "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
      "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
      "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
      "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": false},
      "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {)" +
          vocab + "}}}",
      "letters.json");
}

// GPT-2's kind without merges: a byte is a token, its value the id; 256 is the end of a document.
inline Tokenizer bytes() {
  std::string vocab = R"("<|endoftext|>": 256)";
  char32_t other = 0x100;  // bytes that are not printable are spelled by characters from here on
  for (unsigned b = 0; b < 256; ++b) {
    const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    std::string text = to_utf8(printable ? static_cast<char32_t>(b) : other++);
    if (text == "\"" || text == "\\") text = "\\" + text;
    vocab += fmt::format(R"(, "{}": {})", text, b);
  }
  return Tokenizer::from_json(
      R"({"version": "1.0", "added_tokens": [{"id": 256, "content": "<|endoftext|>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}],
      "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}, "decoder": {"type": "ByteLevel"},
      "model": {"type": "BPE", "vocab": {)" +
          vocab + R"(}, "merges": []}})",
      "bytes.json");
}

inline void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::vector<std::int64_t> ids_of(const std::string& text) {  // of the tokenizer bytes()
  std::vector<std::int64_t> ids;
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

inline std::shared_ptr<const TokenStore> store_of(const TempFolder& folder, const std::string& text,
                                                  const Tokenizer& tokenizer, bool whole = false,
                                                  const CorpusOptions& corpus = {}) {
  const std::string path = folder.file("corpus.txt");
  write(path, text);
  return open_token_store({.files = {path}, .corpus = corpus, .whole_documents = whole}, tokenizer,
                          folder.file("cache"))
      .store;
}

}  // namespace mgd::toy
