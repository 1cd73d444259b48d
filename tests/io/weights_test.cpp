#include "mgd/io/weights.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <sys/stat.h>

#include <cstdlib>
#include <cstring>

#include "io/support.h"
#include "mgd/core/file.h"

namespace mgd {
namespace {

using testing::HasSubstr;

const fs::path kHostile = fs::path(MGD_SOURCE_DIR) / "tests/format/fixtures/safetensors";

constexpr at::ScalarType kAll[] = {at::kBool,
                                   at::kByte,
                                   at::kChar,
                                   at::kFloat8_e5m2,
                                   at::kFloat8_e4m3fn,
                                   at::kFloat8_e4m3fnuz,
                                   at::kFloat8_e5m2fnuz,
                                   at::kShort,
                                   at::kUInt16,
                                   at::kHalf,
                                   at::kBFloat16,
                                   at::kInt,
                                   at::kUInt32,
                                   at::kFloat,
                                   at::kComplexFloat,
                                   at::kDouble,
                                   at::kLong,
                                   at::kUInt64};

// (3, 2), bytes 0, 1, 2, ...; the same as scripts/check_safetensors_roundtrip.py makes.
at::Tensor sample(at::ScalarType dtype) {
  const auto bytes = at::arange(6 * static_cast<std::int64_t>(c10::elementSize(dtype)), at::kByte);
  if (dtype == at::kBool) return bytes.remainder(3).eq(1).view({3, 2});
  return bytes.view(dtype).view({3, 2});
}

TensorMap every_dtype() {
  TensorMap all{{"scalar", at::full({}, 1.5)}, {"none", at::zeros({0, 3})}, {"t\xc3\xa4g", at::ones({1})}};
  for (const auto dtype : kAll) all[std::string("x.") + c10::toString(dtype)] = sample(dtype);
  return all;
}

bool same_bytes(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.sizes() == b.sizes() && a.is_contiguous() &&
         b.is_contiguous() &&
         (a.numel() == 0 || std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0);
}

class Weights : public Scratch {};

// MGD_KEEP_SAFETENSORS=FOLDER leaves ours.safetensors there, and reads and writes again what stands there as
// reference.safetensors: for scripts/check_safetensors_roundtrip.py.
TEST_F(Weights, EveryDtypeComesBackBitForBit) {
  const char* keep = std::getenv("MGD_KEEP_SAFETENSORS");
  const fs::path where = keep != nullptr ? fs::path(keep) : folder;
  const TensorMap saved = every_dtype();
  write_file_atomic(where / "ours.safetensors", tensors_to_safetensors(saved, {{"by", "test"}}));
  std::map<std::string, std::string> metadata;
  const TensorMap loaded = load_tensors((where / "ours.safetensors").string(), &metadata);
  EXPECT_EQ(metadata, (std::map<std::string, std::string>{{"by", "test"}, {"format", "pt"}}));
  ASSERT_EQ(loaded.size(), 21u);
  for (const auto& [name, tensor] : saved) EXPECT_TRUE(same_bytes(loaded.at(name), tensor)) << name;
  if (keep != nullptr)
    write_file_atomic(where / "again.safetensors",
                      tensors_to_safetensors(load_tensors((where / "reference.safetensors").string())));
}

TEST_F(Weights, ReadsWhatTheReferenceWrote) {
  const std::string file = (kHostile / "every_dtype.safetensors").string();
  const TensorMap loaded = load_tensors(file);
  EXPECT_EQ(loaded.size(), 20u);
  EXPECT_TRUE(same_bytes(loaded.at("x.BF16"), sample(at::kBFloat16)));
  EXPECT_TRUE(same_bytes(loaded.at("x.C64"), sample(at::kComplexFloat)));
  EXPECT_EQ(loaded.at("scalar").item<float>(), 1.5f);
  EXPECT_EQ(tensors_to_safetensors(loaded), read_file(file));
}

TEST_F(Weights, StridedTensorsAreStoredRowByRow) {
  const at::Tensor base = at::arange(6, at::kFloat).view({2, 3});
  const TensorMap loaded = load_tensors(
      write("x.safetensors", tensors_to_safetensors({{"t", base.t()}, {"s", base.slice(1, 1, 2)}})));
  EXPECT_TRUE(at::equal(loaded.at("t"), base.t()));
  EXPECT_TRUE(at::equal(loaded.at("s"), base.slice(1, 1, 2)));
}

// Whatever the parser lets pass, the tensors can hold; nothing but Error comes out.
TEST_F(Weights, HostileFilesAreLoadedOrRefused) {
  int loaded = 0, refused = 0;
  for (const auto& entry : fs::directory_iterator(kHostile)) {
    const std::string extension = entry.path().extension();
    if (extension != ".safetensors") continue;
    try {
      load_tensors(entry.path().string());
      ++loaded;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_data) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(entry.path().string()));
      ++refused;
    }
  }
  EXPECT_GE(loaded, 36);
  EXPECT_GE(refused, 60);
  EXPECT_EQ(load_tensors((kHostile / "shape_2p62_2_0.safetensors").string()).at("a").size(0),
            std::int64_t{1} << 62);
}

TEST_F(Weights, PickleIsRefusedUnderAnyName) {
  for (const char* name : {"x.safetensors", "x.bin", "model.safetensors.index.json"}) {
    for (const char* pickle :
         {"torch_zip.pt", "torch_legacy.pth", "protocol_4.pickle", "protocol_0.pickle"}) {
      const std::string file = write(name, read_file(kHostile / pickle));
      EXPECT_THAT(error_of(ExitCode::refused, [&] { load_tensors(file); }), HasSubstr("a pickle file"))
          << name << pickle;
    }
  }
}

TEST_F(Weights, OnlyRegularFilesAreOpened) {
  const std::string fifo = (folder / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const std::string& path : {fifo, std::string("/dev/zero"), folder.string()})
    EXPECT_THAT(error_of(ExitCode::refused, [&] { load_tensors(path); }), HasSubstr("not a regular file"));
  EXPECT_THAT(error_of(ExitCode::missing_input, [&] { load_tensors((folder / "none").string()); }),
              HasSubstr("none"));
}

class Shards : public Scratch {
 protected:
  Shards() {
    write("1.safetensors", tensors_to_safetensors({{"a", at::full({1}, 1.0)}, {"b", at::full({1}, 2.0)}}));
    write("2.safetensors", tensors_to_safetensors({{"c", at::full({1}, 3.0)}}));
  }
  std::string index(const std::string& map) const {
    return write("model.safetensors.index.json", R"({"metadata":{},"weight_map":)" + map + "}");
  }
};

TEST_F(Shards, AreJoined) {
  const TensorMap loaded =
      load_tensors(index(R"({"a":"1.safetensors","b":"1.safetensors","c":"2.safetensors"})"));
  ASSERT_EQ(loaded.size(), 3u);
  EXPECT_EQ(loaded.at("a").item<float>(), 1);
  EXPECT_EQ(loaded.at("c").item<float>(), 3);
}

TEST_F(Shards, OutsideTheFolderAreRefused) {
  EXPECT_THAT(error_of(ExitCode::refused, [&] { load_tensors(index(R"({"a":"../1.safetensors"})")); }),
              HasSubstr("shard \"../1.safetensors\" of \"a\""));
}

TEST_F(Shards, MissingOnesAreNamed) {
  EXPECT_THAT(error_of(ExitCode::missing_input,
                       [&] { load_tensors(index(R"({"a":"1.safetensors","c":"3.safetensors"})")); }),
              HasSubstr("3.safetensors: No such file"));
}

TEST_F(Shards, ATensorInTwoIsRefused) {
  write("2.safetensors", tensors_to_safetensors({{"b", at::full({1}, 9.0)}, {"c", at::full({1}, 3.0)}}));
  EXPECT_THAT(error_of(ExitCode::bad_data,
                       [&] { load_tensors(index(R"({"a":"1.safetensors","c":"2.safetensors"})")); }),
              HasSubstr("2.safetensors: tensor 'b' is in two shards"));
}

TEST_F(Shards, ATensorInAnotherShardIsRefused) {
  EXPECT_THAT(error_of(ExitCode::bad_data,
                       [&] { load_tensors(index(R"({"a":"2.safetensors","c":"2.safetensors"})")); }),
              HasSubstr("'a' is not in its shard 2.safetensors"));
}

TEST_F(Shards, APickleAmongThemIsRefused) {
  write("2.safetensors", read_file(kHostile / "torch_zip.pt"));
  error_of(ExitCode::refused, [&] { load_tensors(index(R"({"a":"1.safetensors","c":"2.safetensors"})")); });
}

TensorMap fitting() {
  return {{"weight", at::arange(6, at::kFloat).view({2, 3})},
          {"bias", at::ones({2})},
          {"running_mean", at::full({2}, 4.0)}};
}

TEST(LoadState, CopiesIntoTheModule) {
  Small module;
  const auto before = module.state();
  TensorMap tensors = fitting();
  tensors["num_batches_tracked"] = at::full({}, 7, at::kLong);
  load_state(module, tensors, "FILE");
  const auto after = module.state();
  EXPECT_TRUE(at::equal(after[0].tensor, tensors.at("weight")));
  EXPECT_TRUE(at::equal(after[2].tensor, tensors.at("running_mean")));
  EXPECT_EQ(after[3].tensor.item<std::int64_t>(), 7);
  EXPECT_TRUE(after[0].tensor.requires_grad());
  EXPECT_FALSE(after[0].tensor.grad_fn());
  // Into the tensors that layers hold, not in their place; and a copy, not the source.
  EXPECT_EQ(after[0].tensor.const_data_ptr(), before[0].tensor.const_data_ptr());
  tensors.at("weight").fill_(100);
  EXPECT_EQ(after[0].tensor.detach().max().item<float>(), 5);
}

TEST(LoadState, ConvertsTheDtype) {
  for (const auto dtype : {at::kDouble, at::kHalf, at::kBFloat16, at::kFloat8_e4m3fn}) {
    Small module;
    TensorMap tensors = fitting();
    for (auto& [name, tensor] : tensors) tensor = tensor.to(dtype);
    load_state(module, tensors, "FILE");
    const at::Tensor weight = module.state()[0].tensor;
    EXPECT_EQ(weight.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::equal(weight, at::arange(6, at::kFloat).view({2, 3}))) << c10::toString(dtype);
  }
}

TEST(LoadState, NamesEveryMismatchAndChangesNothing) {
  Small module;
  TensorMap tensors = fitting();
  tensors.erase("bias");
  tensors["weight"] = at::ones({3, 2});
  tensors["head.weight"] = at::ones({1});
  const std::string message = error_of(ExitCode::bad_data, [&] { load_state(module, tensors, "FILE"); });
  EXPECT_EQ(message,
            "FILE: its tensors do not fit the model:\n  missing: bias\n  unexpected: head.weight\n"
            "  wrong shape: weight is (3, 2), expected (2, 3)");
  for (const auto& entry : module.state())
    EXPECT_EQ(entry.tensor.detach().sum().item<double>(), 0) << entry.name;
}

TEST(LoadState, AScalarIsNoVectorOfOne) {
  Small module(1);
  TensorMap tensors = fitting();
  tensors["extra0"] = at::full({}, 1.0);
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { load_state(module, tensors, "FILE"); }),
              HasSubstr("extra0 is (), expected (1)"));
}

TEST(LoadState, ListsEightOfEachAndCountsTheRest) {
  Small module(9);
  TensorMap tensors = fitting();
  for (int i = 0; i < 11; ++i) tensors["other" + std::to_string(i)] = at::ones({1});
  const std::string message = error_of(ExitCode::bad_data, [&] { load_state(module, tensors, "FILE"); });
  EXPECT_THAT(
      message,
      HasSubstr("missing: extra0, extra1, extra2, extra3, extra4, extra5, extra6, extra7 and 1 more"));
  EXPECT_THAT(message, HasSubstr("other6 and 3 more"));
  EXPECT_THAT(message, testing::Not(HasSubstr("extra8")));
}

TEST(StateOf, SharesTheStorageOfAModuleOnTheCpu) {
  Small module;
  TensorMap state = state_of(module);
  ASSERT_EQ(state.size(), 4u);
  EXPECT_FALSE(state.at("weight").requires_grad());
  state.at("weight").fill_(3);
  EXPECT_EQ(module.state()[0].tensor.detach().min().item<float>(), 3);
  Small other;
  load_state(other, state, "state");
  state.at("weight").fill_(5);
  EXPECT_EQ(other.state()[0].tensor.detach().min().item<float>(), 3);
}

}  // namespace
}  // namespace mgd
