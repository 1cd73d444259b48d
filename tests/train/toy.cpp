#include "train/toy.h"

#include <unistd.h>

#include <atomic>
#include <fstream>

#include "mgd/core/philox.h"
#include "mgd/format/image.h"
#include "mgd/text/train_tokenizer.h"
#include "mgd/train/finish.h"

namespace mgd::toy {

TempFolder::TempFolder() {
  static std::atomic<int> count{0};
  path_ = std::filesystem::temp_directory_path() /
          ("mgd-test-" + std::to_string(getpid()) + "-" + std::to_string(count++));
  std::filesystem::create_directories(path_);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

namespace {

bool inside(int kind, int y, int x, int shift) {
  if (kind == 0) return (x + shift) % 3 == 0;
  if (kind == 1) return (x + shift) % 3 == 0 && (y + shift) % 3 == 0;
  const int dy = y - 4, dx = x - 4 + shift % 2;
  return dy * dy + dx * dx >= 5 && dy * dy + dx * dx <= 11;
}

Image picture(int kind, int index, const char* split) {
  RandomStream random(random_key(99, split), static_cast<std::uint32_t>(kind),
                      static_cast<std::uint64_t>(index));
  Image image{.height = 8, .width = 8, .channels = 3, .pixels = std::vector<std::uint8_t>(8 * 8 * 3)};
  const int shift = static_cast<int>(random.below(3));
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x)
      for (int c = 0; c < 3; ++c)
        image.pixels[static_cast<std::size_t>((y * 8 + x) * 3 + c)] = static_cast<std::uint8_t>(
            (inside(kind, y, x, shift) ? 150 : 40) + static_cast<int>(random.below(60)));
  return image;
}

}  // namespace

void write_images(const std::filesystem::path& dir, int train_per_class, int test_per_class) {
  const char* names[] = {"bars", "dots", "rings"};
  for (int kind = 0; kind < 3; ++kind) {
    for (const auto& [split, count] :
         {std::pair{"train", train_per_class}, std::pair{"test", test_per_class}}) {
      const auto folder = dir / split / names[kind];
      std::filesystem::create_directories(folder);
      for (int i = 0; i < count; ++i) {
        const std::string png = encode_png(picture(kind, i, split));
        std::ofstream(folder / (std::to_string(100 + i) + ".png"), std::ios::binary) << png;
      }
    }
  }
}

Config config(const TempFolder& folder, const std::vector<std::string>& extra) {
  if (!std::filesystem::exists(folder.path() / "images")) write_images(folder.path() / "images");
  Node tree = parse_yaml(
      "data: {path: images, validation: 0.25, loader_threads: 0}\n"
      "student: {model: cifar_resnet8, width: 0.25}\n"
      "train: {epochs: 2, batch_size: 12, lr: 0.05, log_every: 1, weight_decay: 0}\n"
      "run: {seed: 3, threads: 1}\n",
      "toy");
  for (const auto& assignment : extra) apply_override(tree, assignment);
  return read_config(tree, folder.path());
}

void write_texts(const TempFolder& folder) {
  std::ofstream text(folder / "train.txt"), labels(folder / "classify.tsv"), pairs(folder / "embed.tsv");
  labels << "text\tlabel\n";
  pairs << "first\tsecond\tlabel\n";
  std::string before = "nothing";
  for (int i = 0; i < 200; ++i) {
    std::string line;
    for (int w = 0; w <= i % 17; ++w) {
      line += "word" + std::to_string((i * 7 + w * 13) % 50);
      line += w % 5 == 4 ? ". " : " ";
    }
    line += "end.";
    text << line << "\n";
    labels << line << "\t" << (i % 3 == 0 ? "yes" : "no") << "\n";
    pairs << line << "\t" << before << "\t" << (i % 7) / 6.0 << "\n";
    before = line;
  }
  text.close();
  TokenizerTraining options;
  options.vocab_size = 120;
  const Tokenizer tokenizer = train_tokenizer(std::vector<fs::path>{folder / "train.txt"}, options);
  fs::create_directories(folder.path() / "tokens");
  write_file_atomic(folder.path() / "tokens/tokenizer.json", tokenizer.to_json());
}

Config text_config(const TempFolder& folder, const std::string& task, const std::vector<std::string>& extra) {
  if (!fs::exists(folder.path() / "tokens")) write_texts(folder);
  const bool rows = task == "classify" || task == "embed";
  const char* model = task == "clm" ? "gpt2" : task == "denoise" ? "bart" : "bert";
  Node tree = parse_yaml(
      "data: {validation: 0.2, loader_threads: 0}\n"
      "text: {tokenizer: tokens, max_length: 40, cache_dir: cache}\n"
      "student: {hidden_size: 16, layers: 1, heads: 2, intermediate_size: 32, dropout: 0.1}\n"
      "train: {optimizer: adamw, epochs: 2, batch_size: 32, lr: 0.005, log_every: 1}\n"
      "run: {seed: 3, threads: 1}\n",
      "toy");
  apply_override(tree, "task=" + task);
  apply_override(tree, std::string("student.model=") + model);
  apply_override(tree, "data.path=" + (folder / (rows ? task + ".tsv" : "train.txt")));
  if (rows) apply_override(tree, task == "embed" ? "text.columns=[first, second]" : "text.columns=[text]");
  for (const auto& assignment : extra) apply_override(tree, assignment);
  return read_config(tree, folder.path());
}

std::string teacher(const TempFolder& folder) {
  const std::string path = folder / "teacher";
  if (!std::filesystem::exists(path)) {
    auto run = make_run(config(folder, {"student.width=0.5", "train.epochs=8", "data.validation=0"}));
    Notes notes;
    const RunFolder run_folder(folder / "teacher-run", RunFolder::Open::create);
    train(*run, run_folder, {}, notes.events());
    export_student(*run, path);
  }
  return "teacher.path=" + path;
}

TrainEvents Notes::events() {
  return {.note = [this](const std::string& text) { lines.push_back(text); }, .progress = nullptr};
}

}  // namespace mgd::toy
