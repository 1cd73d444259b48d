// The judge is the reference library: scripts/fixtures/make_hostile_safetensors.py wrote the files and its
// verdicts.
#include "mgd/format/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/file.h"

namespace mgd {
namespace {

using testing::HasSubstr;

const fs::path kFolder = fs::path(MGD_SOURCE_DIR "/tests/format/fixtures") / "safetensors";

std::string fixture(const std::string& name) {
  return read_file(kFolder / name);
}

// "" when accepted, else the message; any other exception ends the test.
template <class F>
std::string refusal(const F& f, ExitCode expected = ExitCode::bad_data) {
  try {
    f();
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), expected) << error.what();
    return error.what();
  }
}

std::string refusal_of(std::string_view bytes) {
  return refusal([&] { parse_safetensors(bytes, "FILE"); });
}

// What the reference accepts and this parser does not.
const std::map<std::string, std::string> kStricter{
    {"leading_space", "the format says that a header begins with '{'"},
    {"name_twice", "one name, two meanings; the format forbids it"},
    {"metadata_key_twice", "as above"},
    {"extra_key_twice", "as above"},
    {"entry_list", "an accident of the reference's JSON library; the format says object"},
    {"shape_2p63_0", "no tensor can have it; PyTorch refuses it too"},
    {"shape_strides_overflow", "no tensor can have it; PyTorch refuses it too"},
    {"unsupported_F4", "no such tensors here; the reference cannot load it into PyTorch either"},
    {"unsupported_F6_E2M3", "as above"},
    {"unsupported_F6_E3M2", "as above"},
    {"unsupported_F8_E8M0", "as above"},
};

TEST(Safetensors, RefusesWhatTheReferenceRefusesAndAcceptsTheRest) {
  const auto verdicts = nlohmann::json::parse(fixture("expected.json")).at("files");
  int accepted = 0, refused = 0;
  for (const auto& [name, verdict] : verdicts.items()) {
    const bool reference = verdict.at("parse") == "ok";
    const std::string bytes = fixture(name + ".safetensors");
    const std::string message = refusal_of(bytes);
    EXPECT_EQ(message.empty(), reference && !kStricter.contains(name)) << name << ": " << message << verdict;
    if (!message.empty()) {
      EXPECT_THAT(message, HasSubstr("FILE: ")) << name;
      EXPECT_LT(message.size(), 500u) << name;
    }
    EXPECT_EQ(refusal([&] { refuse_pickle(bytes, "FILE"); }), "") << name;
    ++(message.empty() ? accepted : refused);
  }
  EXPECT_GE(accepted, 36);
  EXPECT_GE(refused, 60);
  for (const auto& [name, reason] : kStricter)
    EXPECT_EQ(verdicts.at(name).at("parse"), "ok") << name << " is no exception";
}

TEST(Safetensors, MessagesNameThePlaceAndTheValue) {
  const std::pair<const char*, const char*> cases[] = {
      {"seven_bytes", "7 bytes are too few"},
      {"length_above_limit", "100000001 bytes"},
      {"name_twice", "\"a\" stands twice"},
      {"unsupported_F4", "dtype \"F4\" is not supported"},
      {"unsupported_f32", "unknown dtype \"f32\""},
      {"shape_overflow", "shape [4611686018427387904,4] overflows"},
      {"shape_negative", "shape: got -1, expected a whole number from 0"},
      {"shape_too_big", "4 bytes, its shape [2] needs 8"},
      {"offsets_beyond", "bytes 4 to 8, the file holds 4"},
      {"offsets_three", "data_offsets [0,4,4]: expected two numbers"},
      {"overlap", "tensor \"b\" leaves a hole or overlaps another"},
      {"bytes_after", "1 bytes after the last tensor"},
      {"metadata_number", "__metadata__ \"a\" is not a text: 1"},
      {"nested_126", "nested more than 127 deep"},
      {"trailing_nul", "a NUL"},
  };
  for (const auto& [name, expected] : cases)
    EXPECT_THAT(refusal_of(fixture(name + std::string(".safetensors"))), HasSubstr(expected)) << name;
}

TEST(Safetensors, MessagesEscapeAndCutHostileNames) {
  const std::string header = R"({"\u001b[31m)" + std::string(5000, 'x') + R"(":1})";
  std::string bytes(8, '\0');
  const std::uint64_t size = header.size();
  std::memcpy(bytes.data(), &size, 8);
  const std::string message = refusal_of(bytes + header);
  EXPECT_THAT(message, HasSubstr("\\u001b[31mxxx"));
  EXPECT_LT(message.size(), 300u);
}

TEST(Safetensors, ReadsValues) {
  const std::string bytes = fixture("every_dtype.safetensors");
  const auto content = parse_safetensors(bytes, "FILE");
  EXPECT_EQ(content.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  ASSERT_EQ(content.tensors.size(), 20u);
  for (const auto& tensor : content.tensors) {
    if (!tensor.name.starts_with("x.")) continue;
    EXPECT_EQ(tensor.name, "x." + std::string(dtype_name(tensor.dtype)));
    EXPECT_EQ(tensor.shape, (std::vector<std::int64_t>{3, 2}));
    ASSERT_EQ(static_cast<std::int64_t>(tensor.bytes.size()), 6 * dtype_bytes(tensor.dtype));
    for (std::size_t i = 0; i < tensor.bytes.size(); ++i)
      EXPECT_EQ(tensor.bytes[i], tensor.dtype == Dtype::boolean ? i % 3 == 1 : static_cast<char>(i))
          << tensor.name;
  }
}

// The fixtures hold what the reference wrote: its order, spacing and padding.
TEST(Safetensors, WritesTheBytesThatTheReferenceWrites) {
  const std::string bytes = fixture("every_dtype.safetensors");
  auto content = parse_safetensors(bytes, "FILE");
  std::reverse(content.tensors.begin(), content.tensors.end());
  EXPECT_EQ(write_safetensors(content.tensors, {}), bytes);
}

TEST(Safetensors, WritesMetadataAndOddNames) {
  const std::string value = "abcd";
  const std::vector<TensorView> tensors{
      {.name = "\x1b\n\"\\ \xc3\xa4", .dtype = Dtype::f32, .shape = {1}, .bytes = value},
      {.name = "", .dtype = Dtype::u8, .shape = {2, 2}, .bytes = value},
      {.name = "none", .dtype = Dtype::i64, .shape = {0, 7}, .bytes = {}},
  };
  const std::string bytes = write_safetensors(tensors, {{"k", "v\n"}, {"format", "np"}});
  EXPECT_EQ(static_cast<unsigned char>(bytes[0]) % 8, 0);
  const auto content = parse_safetensors(bytes, "FILE");
  EXPECT_EQ(content.metadata, (std::map<std::string, std::string>{{"k", "v\n"}, {"format", "pt"}}));
  ASSERT_EQ(content.tensors.size(), 3u);
  EXPECT_EQ(content.tensors[0].name, "none");
  EXPECT_EQ(content.tensors[1].name, tensors[0].name);
  EXPECT_EQ(content.tensors[2].bytes, value);
  EXPECT_EQ(refusal_of(write_safetensors({}, {{"path", "\xff"}})), "");  // no UTF-8: replaced, not thrown
}

TEST(Safetensors, ATruncatedFileIsRefusedAtEveryLength) {
  const std::string bytes = fixture("every_dtype.safetensors");
  for (std::size_t size = 0; size < bytes.size(); ++size)
    ASSERT_NE(refusal_of(std::string_view(bytes).substr(0, size)), "") << size;
}

TEST(Pickle, IsRefusedByItsFirstBytesUnderAnyName) {
  int pickles = 0;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    const std::string extension = entry.path().extension();
    if (extension != ".pickle" && extension != ".pt" && extension != ".pth") continue;
    const std::string bytes = read_file(entry.path());
    const std::string message =
        refusal([&] { refuse_pickle(bytes, "dir/model.safetensors"); }, ExitCode::refused);
    EXPECT_THAT(message, HasSubstr("dir/model.safetensors: a pickle file")) << entry.path();
    EXPECT_THAT(message, HasSubstr("python3 -c \"import sys, argparse")) << entry.path();
    ++pickles;
  }
  EXPECT_EQ(pickles, 8);
  EXPECT_EQ(refusal([&] { refuse_pickle("", "x"); }), "");
  EXPECT_EQ(refusal([&] { refuse_pickle("{\"weight_map\":{}}", "x"); }), "");
}

// The shell itself must find the path as the last argument, and nothing else in it.
TEST(Pickle, TheCommandIsSafeToPaste) {
  const std::string hostile = "a'b\"; touch pwned; $(touch pwned) `touch pwned` \\ {x}.pt";
  const std::string message = refusal([&] { refuse_pickle("\x80\x02}", hostile); }, ExitCode::refused);
  std::string command = message.substr(message.find("  python3 -c ") + 2);
  // Another program in place of Python shows what it would be given.
  const fs::path out = testing::TempDir() + "/mgd_pickle_" + std::to_string(::getpid());
  command = "printf '%s\\n'" + command.substr(std::strlen("python3")) + " > " + out.string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::ifstream file(out);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  fs::remove(out);
  ASSERT_GT(lines.size(), 3u);
  EXPECT_EQ(lines[0], "-c");
  EXPECT_THAT(lines[1], testing::StartsWith("import sys, argparse"));
  for (std::size_t i = 1; i + 1 < lines.size(); ++i) EXPECT_THAT(lines[i], testing::Not(HasSubstr("pwned")));
  EXPECT_EQ(lines.back(), hostile);
  EXPECT_FALSE(fs::exists("pwned"));
}

TEST(ShardIndex, MapsNamesToFiles) {
  const auto shards = parse_shard_index(
      R"({"metadata":{"total_size":8},"weight_map":{"b":"2.safetensors","a":"1.safetensors"}})", "I");
  EXPECT_EQ(shards, (std::map<std::string, std::string>{{"a", "1.safetensors"}, {"b", "2.safetensors"}}));
}

TEST(ShardIndex, RefusesFilesOutsideTheFolder) {
  for (const char* shard : {"../x.safetensors", "/etc/passwd", "a/b", "a\\\\b", "..", ".", "", "a\\u0000b"}) {
    const std::string text = R"({"weight_map":{"w":")" + std::string(shard) + "\"}}";
    EXPECT_THAT(refusal([&] { parse_shard_index(text, "I"); }, ExitCode::refused),
                HasSubstr("of \"w\" is not a file name"))
        << shard;
  }
}

TEST(ShardIndex, RefusesWhatIsNoIndex) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "I: not JSON"},
      {"[]", "I: not a JSON object"},
      {"{}", "I: no weight_map"},
      {R"({"weight_map":[]})", "I: no weight_map"},
      {R"({"weight_map":{"a":1}})", "the shard of \"a\" is not a file name"},
      {R"({"weight_map":{"a":"x","a":"y"}})", "\"a\" stands twice"},
  };
  for (const auto& [text, expected] : cases)
    EXPECT_THAT(refusal([&, t = text] { parse_shard_index(t, "I"); }), HasSubstr(expected));
}

}  // namespace
}  // namespace mgd
