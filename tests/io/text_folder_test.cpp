#include "mgd/io/text_folder.h"

#include <ATen/ops/ones.h>
#include <gmock/gmock.h>

#include "io/support.h"

namespace mgd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class TextFolderTest : public Scratch {
 protected:
  TextFolderTest() {
    put("config.json", R"({"model_type": "bert", "architectures": ["BertModel"]})");
    put("model.safetensors", tensors_to_safetensors({{"x", at::ones({2})}}));
  }

  void put(const std::string& name, const std::string& bytes) const {
    fs::create_directories((folder / name).parent_path());
    write(name, bytes);
  }
  void write_modules(const std::string& transformer, const std::string& last) const {
    put("modules.json", R"([{"idx": 0, "name": "0", "path": ")" + transformer +
                            R"(", "type": "sentence_transformers.models.Transformer"},
                              {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                              {"idx": 2, "name": "2", "path": "2", "type": "sentence_transformers.models.)" +
                            last + R"("}])");
  }
  std::string refusal(ExitCode code) const {
    return error_of(code, [&] { load_text_folder(folder); });
  }
};

TEST_F(TextFolderTest, PlainFolder) {
  put("tokenizer.json", "{}");
  put("README.md", "not ours to copy");
  const TextFolder loaded = load_text_folder(folder);
  EXPECT_EQ(loaded.config.model_type, "bert");
  EXPECT_FALSE(loaded.config.normalize);
  EXPECT_EQ(loaded.tensors.at("x").size(0), 2);
  EXPECT_EQ(loaded.tokenizer.size(), 1);
  EXPECT_TRUE(is_text_folder(folder));
}

TEST_F(TextFolderTest, SentenceTransformersAlsoInASubfolder) {
  write_modules("", "Normalize");
  put("1_Pooling/config.json", R"({"pooling_mode_cls_token": true, "pooling_mode_mean_tokens": false})");
  const TextFolder flat = load_text_folder(folder);
  EXPECT_EQ(flat.config.pooling, "cls");
  EXPECT_TRUE(flat.config.normalize);

  write_modules("0_Transformer", "Normalize");
  fs::create_directories(folder / "0_Transformer");
  for (const char* name : {"config.json", "model.safetensors"})
    fs::rename(folder / name, folder / "0_Transformer" / name);
  put("0_Transformer/vocab.txt", "a");
  EXPECT_TRUE(is_text_folder(folder));
  const TextFolder nested = load_text_folder(folder);
  EXPECT_EQ(nested.tensors.size(), 1);
  EXPECT_EQ(nested.tokenizer.at("vocab.txt"), "a");
}

TEST_F(TextFolderTest, AnEncoderIsWrittenForSentenceTransformersToo) {
  TextFolder content = load_text_folder(folder);
  content.config.pooling = "last";
  content.config.normalize = true;
  content.tokenizer["tokenizer.json"] = "{}";
  const fs::path copy = folder / "copy";
  save_text_folder(copy, content);
  const TextFolder again = load_text_folder(copy);
  EXPECT_EQ(again.config.pooling, "last");
  EXPECT_TRUE(again.config.normalize);
  EXPECT_EQ(again.tokenizer, content.tokenizer);
  content.config.head = TextHead::masked_lm;
  save_text_folder(copy, content);
  EXPECT_FALSE(fs::exists(copy / "modules.json")) << "the old folder is gone";
}

TEST_F(TextFolderTest, RefusalsNameWhatIsWrong) {
  write_modules("", "Dense");
  put("1_Pooling/config.json", R"({"pooling_mode_mean_tokens": true})");
  EXPECT_THAT(refusal(ExitCode::bad_data), AllOf(HasSubstr("models.Dense"), HasSubstr("Normalize")));
  put("1_Pooling/config.json", R"({"pooling_mode_max_tokens": true})");
  EXPECT_THAT(refusal(ExitCode::bad_data), HasSubstr("pooling_mode_max_tokens"));
  put("1_Pooling/config.json", R"({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true})");
  EXPECT_THAT(refusal(ExitCode::bad_data), HasSubstr("got 2 pooling modes"));
  put("1_Pooling/config.json", R"({"pooling_mode_mean_tokens": true})");
  write_modules("..", "Normalize");
  EXPECT_THAT(refusal(ExitCode::refused), HasSubstr("outside"));
  fs::remove(folder / "modules.json");
  fs::remove(folder / "model.safetensors");
  EXPECT_THAT(refusal(ExitCode::missing_input), HasSubstr("no model.safetensors there"));
  fs::remove_all(folder);
  EXPECT_THAT(refusal(ExitCode::missing_input), HasSubstr("no such model folder"));
  EXPECT_FALSE(is_text_folder(folder));
}

}  // namespace
}  // namespace mgd
