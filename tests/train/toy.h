// A small image folder on disk and recipes over it, for tests of the trainer.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mgd/format/config.h"
#include "mgd/task/open_model.h"
#include "mgd/train/trainer.h"

namespace mgd::toy {

// A fresh folder under the system's temporary one, removed with the object.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// DIR/{train,test}/{bars,dots,rings}/NN.png: 8 x 8 RGB pictures that a small network can tell apart.
void write_images(const std::filesystem::path& dir, int train_per_class = 24, int test_per_class = 8);

// cifar_resnet8 of width 0.25 on the toy images; `extra` are overrides as on the command line.
Config config(const TempFolder& folder, const std::vector<std::string>& extra);

// FOLDER/train.txt: 200 documents of 2 to 18 words out of 50; and rows of it with labels and scores in
// FOLDER/{classify,embed}.tsv. A WordPiece vocabulary of 120 in FOLDER/tokens.
void write_texts(const TempFolder& folder);

// A small text model of `task` on those.
Config text_config(const TempFolder& folder, const std::string& task, const std::vector<std::string>& extra);

// Trains a teacher in FOLDER/teacher once and gives the override that names it.
std::string teacher(const TempFolder& folder);

// Events that keep the notes.
struct Notes {
  std::vector<std::string> lines;
  TrainEvents events();
};

}  // namespace mgd::toy
