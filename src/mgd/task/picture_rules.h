// What the models of a run want to see, and how the pictures at hand are brought to it (docs/pictures.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mgd/data/eval_transform.h"
#include "mgd/data/picture_survey.h"
#include "mgd/eval/classify.h"
#include "mgd/format/config.h"
#include "mgd/io/model_folder.h"
#include "mgd/model/own_model.h"

namespace mgd {

// A model of the run, as far as it says what it wants. The first of several is the one that is asked first:
// a teacher, because the student shall answer as it does.
struct Viewer {
  std::string role;                       // "teacher", "student", "model": for messages
  std::string place;                      // its file or folder, for messages
  std::optional<ModelFolderInfo> folder;  // what its folder says
  std::string architecture;               // without a folder
  bool trained = false;                   // without a folder: it has weights
  std::int64_t channels = 0;              // that the weights take; 0: any
  std::int64_t own_side = 0;              // of a network of the program: what it is used to see
};

struct PictureRules {
  PictureSize size;
  std::string size_from;  // who said so: "data.image_size", "the teacher's folder", ...
  EvalTransform view;
  std::string view_from;
  std::vector<double> mean, std;  // one a channel
};

// What the recipe says of teacher and student; reads no more than the config.json of folders.
std::vector<Viewer> viewers_of(const Config& config, std::span<const OwnModel> own = {});

// The channels of the first model that comes with weights: pictures are converted to it. 0: all start fresh,
// and take what the pictures have.
std::int64_t wanted_channels(const std::vector<Viewer>& viewers);

// Size, crop, mode, interpolation, mean and std, each by itself: the recipe's (or the command's), else that
// of the first model folder, else the habit of the first architecture. Exceptions, because a habit is only a
// guess:
// - pictures that all have one size, no larger than the habit, keep it, and are seen whole;
// - the habit's crop and interpolation are for trained weights; fresh ones see whole pictures, bilinear.
// `channels` is 1 or 3. Throws Error(usage) for a size that a folder forbids (fixed_input_size), and for mean
// and std that do not fit.
PictureRules settle_pictures(const DataConfig& data, const std::vector<Viewer>& viewers,
                             const PictureSurvey& survey, std::int64_t channels);

// "3 x 224 x 224 (the teacher's folder), bicubic, crop 0.875 center (...)", and what happens to the pictures.
std::vector<std::string> describe_pictures(const PictureRules& rules, const PictureSurvey& survey,
                                           std::int64_t channels);

// How a model that was opened from a folder wants to be asked: for programs that use the library. Throws
// Error(usage) for a way of scaling or cutting that is not known.
EvalTransform view_of(const ModelFolderInfo& info, const std::string& place);
EvalOptions eval_options_of(const ModelFolderInfo& info);

// What the folder of a model that is used this way says.
void note_rules(const PictureRules& rules, ModelFolderInfo& info);

}  // namespace mgd
