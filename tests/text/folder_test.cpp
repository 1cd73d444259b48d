// Files beside a tokenizer against transformers: scripts/fixtures/make_tokenizer_folders.py.
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "expect_error.h"
#include "mgd/text/causal_tokenizer.h"
#include "mgd/text/tokenizer.h"
#include "mgd/text/tokenizer_files.h"

namespace mgd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const fs::path kFolders = fs::path(MGD_SOURCE_DIR "/tests/text/fixtures") / "folders";

class TokenizerFolder : public testing::Test {
 protected:
  TokenizerFolder() { fs::create_directories(folder_); }
  ~TokenizerFolder() override { fs::remove_all(folder_); }
  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  std::string refusal(ExitCode code) const {
    return error_of(code, [&] { Tokenizer::load(folder_); });
  }
  const fs::path folder_ = fs::path(testing::TempDir()) / "mgd_tokenizer_folder";
};

TEST_F(TokenizerFolder, IsReadAsTransformersDoes) {
  const auto expected = nlohmann::json::parse(read_file(kFolders / "expected.json"));
  ASSERT_GE(expected.size(), 8U);
  for (const auto& [name, rows] : expected.items()) {
    const Tokenizer tokenizer = Tokenizer::load(kFolders / name);
    for (const auto& row : rows) {
      using Ids = std::vector<std::int64_t>;
      const std::string text = row.at("text"), last = rows.back().at("text");
      EXPECT_EQ(tokenizer.encode(text).ids, row.at("ids").get<Ids>()) << name << ": " << text;
      EXPECT_EQ(tokenizer.encode(text, {.max_length = 8}).ids, row.at("cut").get<Ids>())
          << name << ": " << text;
      EXPECT_EQ(tokenizer.encode_pair(text, last, {.max_length = 8}).ids, row.at("pair").get<Ids>())
          << name << ": " << text;
    }
    // What is written of it stands by itself.
    const Tokenizer again = Tokenizer::from_json(tokenizer.to_json(), name);
    EXPECT_EQ(again.encode("The caf\xC3\xA9").ids, tokenizer.encode("The caf\xC3\xA9").ids) << name;
  }
}

TEST_F(TokenizerFolder, OfSentenceTransformersLiesInASubfolder) {
  for (const char* file : {"vocab.txt", "tokenizer_config.json"})
    put(std::string("0_Transformer/") + file, read_file(kFolders / "vocab_cased" / file));
  EXPECT_FALSE(holds_tokenizer(folder_));
  put("modules.json", R"([{"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}])");
  EXPECT_TRUE(holds_tokenizer(folder_));
  EXPECT_EQ(Tokenizer::load(folder_).encode("The").ids,
            Tokenizer::load(kFolders / "vocab_cased").encode("The").ids);
  put("modules.json", R"([{"path": "../other", "type": "sentence_transformers.models.Transformer"}])");
  EXPECT_THAT(refusal(ExitCode::refused), HasSubstr("outside"));
}

TEST_F(TokenizerFolder, LowersTheTextWhereTheSentenceEncoderDoes) {
  put("tokenizer.json", read_file(kFolders / "case_back/tokenizer.json"));
  const auto ids = [&] { return Tokenizer::load(folder_).encode("The").ids; };
  const std::vector<std::int64_t> upper = ids();
  put("sentence_bert_config.json", R"({"max_seq_length": 128, "do_lower_case": false})");
  EXPECT_EQ(ids(), upper);
  put("sentence_bert_config.json", R"({"max_seq_length": 128, "do_lower_case": true})");
  EXPECT_EQ(ids(), Tokenizer::load(folder_).encode("the").ids);
  EXPECT_NE(ids(), upper);
}

TEST_F(TokenizerFolder, SaysWhatLiesThere) {
  put("vocab.json", "{}");
  put("merges.txt", "");
  EXPECT_THAT(refusal(ExitCode::missing_input),
              AllOf(HasSubstr("there is vocab.json"), HasSubstr("AutoTokenizer")));
  put("vocab.txt", "a\nb\n");
  EXPECT_THAT(refusal(ExitCode::bad_data), HasSubstr("its pad_token '[PAD]' is not there"));
  put("tokenizer_config.json", R"({"tokenizer_class": "XLNetTokenizer"})");
  EXPECT_THAT(refusal(ExitCode::bad_data), HasSubstr("of the class 'XLNetTokenizer'"));
  put("tokenizer.json", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  EXPECT_THAT(refusal(ExitCode::bad_data), HasSubstr("git lfs pull"));
  put("tokenizer.json", read_file(kFolders / "case/tokenizer.json"));
  put("tokenizer_config.json", R"({"truncation_side": "up"})");
  EXPECT_THAT(refusal(ExitCode::bad_data), HasSubstr("truncation_side: got 'up', expected left or right"));
  put("tokenizer_config.json", R"({"do_lower_case": "no"})");
  EXPECT_THAT(refusal(ExitCode::bad_data), HasSubstr("do_lower_case"));
}

// What is prompted with the written tokenizer begins as what a causal model learned, and does not end.
TEST_F(TokenizerFolder, OfACausalModelOpensAndDoesNotClose) {
  const Tokenizer bert = Tokenizer::load(kFolders / "case");
  std::map<std::string, std::string> files = {
      {"tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})"}};
  const std::vector<std::int64_t> opening = {2};
  make_causal(files, bert, opening, 3);
  for (const auto& [name, text] : files) put(name, text);
  const Tokenizer causal = Tokenizer::load(folder_);
  EXPECT_EQ(causal.encode("the cat").ids, (std::vector<std::int64_t>{2, 5, 7}));
  EXPECT_EQ(causal.encode("the cat", {.add_special = false}).ids, (std::vector<std::int64_t>{5, 7}));
  EXPECT_EQ(causal.special_tokens().eos, 3);
  EXPECT_EQ(causal.special_tokens().bos, 2);
  make_causal(files, bert, {}, -1);
  for (const auto& [name, text] : files) put(name, text);
  EXPECT_EQ(Tokenizer::load(folder_).encode("the cat").ids, (std::vector<std::int64_t>{5, 7}));
}

}  // namespace
}  // namespace mgd
