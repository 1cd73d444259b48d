#include "mgd/task/same_vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "expect_error.h"
#include "mgd/text/train_tokenizer.h"

namespace mgd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SameVocabulary : public testing::Test {
 protected:
  SameVocabulary() : folder(fs::temp_directory_path() / ("mgd-vocabulary-" + std::to_string(getpid()))) {
    fs::create_directories(folder);
  }
  ~SameVocabulary() override { fs::remove_all(folder); }

  // FOLDER/NAME/tokenizer.json, of the characters of `text`.
  std::string tokenizer(const std::string& name, const std::string& text) const {
    fs::create_directories(folder / name);
    std::ofstream(folder / (name + ".txt")) << text << "\n";
    TokenizerTraining options;
    options.kind = "char";
    options.min_frequency = 1;
    const Tokenizer made = train_tokenizer(std::vector<fs::path>{folder / (name + ".txt")}, options);
    write_file_atomic(folder / name / "tokenizer.json", made.to_json());
    return folder / name;
  }

  const fs::path folder;
};

TEST_F(SameVocabulary, AnotherOneIsRefusedWithBothFingerprints) {
  const std::string ours = tokenizer("ours", "aaaa bbb cc"), theirs = tokenizer("theirs", "aaaa xxx cc");
  const Tokenizer used = Tokenizer::load(ours);
  EXPECT_NO_THROW(require_same_vocabulary(used, ours, ours, "teacher"));
  const std::string message =
      error_of(ExitCode::usage, [&] { require_same_vocabulary(used, ours, theirs, "teachers.1"); });
  EXPECT_THAT(message, AllOf(HasSubstr("teachers.1: "), HasSubstr(theirs),
                             HasSubstr("is 'c' there and 'b' here"), HasSubstr(vocabulary_fingerprint(used)),
                             HasSubstr(vocabulary_fingerprint(Tokenizer::load(theirs)))));
}

// As many add a token of padding behind everything else.
TEST_F(SameVocabulary, MoreOfThemAtTheEndAreNoOtherOnes) {
  const std::string ours = tokenizer("ours", "aaaaa bbbb ccc"), more = tokenizer("more", "aaaaa bbbb ccc d");
  EXPECT_NO_THROW(require_same_vocabulary(Tokenizer::load(ours), ours, more, "teacher"));
  EXPECT_NE(vocabulary_fingerprint(Tokenizer::load(ours)), vocabulary_fingerprint(Tokenizer::load(more)));
}

TEST_F(SameVocabulary, AFolderWithoutTokenizerIsTakenAtItsWord) {
  const std::string ours = tokenizer("ours", "abc");
  fs::create_directories(folder / "bare");
  EXPECT_NO_THROW(require_same_vocabulary(Tokenizer::load(ours), ours, folder / "bare", "teacher"));
}

}  // namespace
}  // namespace mgd
