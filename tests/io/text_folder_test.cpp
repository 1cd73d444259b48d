#include "mgd/io/text_folder.h"

#include <ATen/ops/ones.h>
#include <gmock/gmock.h>

#include "io/support.h"
#include "mgd/format/generation_settings.h"
#include "mgd/io/sentence_files.h"

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

// Version 5.7 writes the same modules under the names of other packages.
TEST_F(TextFolderTest, SentenceTransformersOfAnyVersion) {
  put("modules.json", R"([{"path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
    {"path": "1_Pooling", "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"},
    {"path": "2_Normalize", "type": "sentence_transformers.sentence_transformer.modules.normalize.Normalize"}])");
  put("1_Pooling/config.json",
      R"({"embedding_dimension": 2, "pooling_mode": "mean", "include_prompt": true})");
  EXPECT_EQ(load_text_folder(folder).config.pooling, "mean");
  EXPECT_TRUE(load_text_folder(folder).config.normalize);
  put("modules.json", R"([{"path": "", "type": "sentence_transformers.base.modules.dense.Dense"}])");
  EXPECT_THAT(refusal(ExitCode::bad_data), HasSubstr("dense.Dense' is not supported"));
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

// Lengths, prompts and generation settings leave with a student, where they mean something for its head.
TEST_F(TextFolderTest, WhatAFolderBringsLeavesWithIt) {
  const std::string length = R"({"max_seq_length": 256, "do_lower_case": false})",
                    prompts = R"({"prompts": {"query": "query: "}, "default_prompt_name": "query"})";
  write_modules("", "Normalize");
  put("1_Pooling/config.json", R"({"pooling_mode": "lasttoken", "include_prompt": false})");
  put("sentence_bert_config.json", length);
  put("config_sentence_transformers.json", prompts);
  put("generation_config.json", "{}");
  TextFolder content = load_text_folder(folder);
  EXPECT_EQ(content.config.pooling, "last");
  EXPECT_FALSE(content.config.pools_prompt);
  const fs::path copy = folder / "copy";
  save_text_folder(copy, content);
  EXPECT_EQ(read_file(copy / "sentence_bert_config.json"), length);
  EXPECT_EQ(read_file(copy / "config_sentence_transformers.json"), prompts);
  EXPECT_FALSE(fs::exists(copy / "generation_config.json"));
  EXPECT_FALSE(load_text_folder(copy).config.pools_prompt);
  content.config.head = TextHead::masked_lm;
  save_text_folder(copy, content);
  EXPECT_FALSE(fs::exists(copy / "sentence_bert_config.json"));
}

TEST_F(TextFolderTest, GenerationSettingsComeFromEitherFile) {
  put("config.json",
      R"({"model_type": "bart", "architectures": ["BartForConditionalGeneration"], "num_beams": 4,
                         "no_repeat_ngram_size": 3, "eos_token_id": [2, 7]})");
  const TextFolder old = load_text_folder(folder);
  EXPECT_EQ(old.config.eos_id, 2);
  EXPECT_EQ(old.config.other_eos_ids, std::vector<std::int64_t>{7});
  GenerationSettings settings = parse_generation_settings(old.tokenizer.at("generation_config.json"), "x");
  EXPECT_EQ(settings.num_beams, 4);
  EXPECT_EQ(settings.rules.no_repeat_ngram, 3);
  EXPECT_EQ(settings.rules.ends, (std::vector<std::int64_t>{2, 7}));
  EXPECT_EQ(settings.rules.forced_ends, std::vector<std::int64_t>{2}) << "BART's default";
  const fs::path copy = folder / "copy";
  save_text_folder(copy, old);
  EXPECT_EQ(read_file(copy / "generation_config.json"), old.tokenizer.at("generation_config.json"));
  EXPECT_EQ(load_text_folder(copy).config.other_eos_ids, std::vector<std::int64_t>{7});

  put("generation_config.json", R"({"num_beams": 2})");  // overrules all of config.json's
  settings = parse_generation_settings(load_text_folder(folder).tokenizer.at("generation_config.json"), "x");
  EXPECT_EQ(settings.num_beams, 2);
  EXPECT_EQ(settings.rules.no_repeat_ngram, 0);

  TextFolder made = old;
  made.tokenizer.clear();
  save_text_folder(copy, made);
  settings = parse_generation_settings(read_file(copy / "generation_config.json"), "x");
  EXPECT_EQ(settings.rules.ends, (std::vector<std::int64_t>{2, 7}));
  EXPECT_EQ(settings.rules.forced_ends, std::vector<std::int64_t>{2});
}

TEST_F(TextFolderTest, AFolderThatIsNoWholeModelSaysWhatItIs) {
  put("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  EXPECT_THAT(refusal(ExitCode::bad_data), HasSubstr("git lfs pull"));
  put("config.json", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  EXPECT_THAT(refusal(ExitCode::bad_data), AllOf(HasSubstr("config.json"), HasSubstr("git lfs pull")));
  fs::remove(folder / "config.json");
  put("adapter_config.json",
      R"({"peft_type": "LORA", "base_model_name_or_path": "org/base", "task_type": "SEQ_CLS"})");
  EXPECT_TRUE(is_text_folder(folder));
  EXPECT_THAT(refusal(ExitCode::bad_data),
              AllOf(HasSubstr("a LORA adapter for org/base"), HasSubstr("merge_and_unload"),
                    HasSubstr("AutoPeftModelForSequenceClassification")));
}

TEST_F(TextFolderTest, AnOldSentenceFolderNeedsNoList) {
  fs::create_directories(folder / "0_Transformer");
  for (const char* name : {"config.json", "model.safetensors"})
    fs::rename(folder / name, folder / "0_Transformer" / name);
  put("0_Transformer/sentence_bert_config.json", R"({"max_seq_length": 77})");
  EXPECT_TRUE(is_text_folder(folder));
  EXPECT_EQ(load_text_folder(folder).tensors.size(), 1);
  EXPECT_EQ(load_sentence_files(folder).max_length, 77);
}

TEST_F(TextFolderTest, PromptsAreFoundByName) {
  EXPECT_EQ(load_sentence_files(folder).prompt("", "x"), "");
  put("config_sentence_transformers.json",
      R"({"prompts": {"query": "query: ", "passage": ""}, "default_prompt_name": "query"})");
  const SentenceFiles files = load_sentence_files(folder);
  EXPECT_EQ(files.prompt("", "x"), "query: ");
  EXPECT_EQ(files.prompt("passage", "x"), "");
  EXPECT_EQ(files.prompt("none", "x"), "");
  EXPECT_THAT(error_of(ExitCode::usage, [&] { files.prompt("qery", "model"); }),
              AllOf(HasSubstr("model: it has no prompt 'qery'"), HasSubstr("did you mean 'query'")));
  put("config_sentence_transformers.json", R"({"prompts": {}, "default_prompt_name": "query"})");
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { load_sentence_files(folder); }),
              HasSubstr("got 'query', which is none of the prompts"));
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
