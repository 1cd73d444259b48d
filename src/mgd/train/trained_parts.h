// What of a student trains, and how fast: train.freeze and train.lr_scale.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mgd/format/config.h"
#include "mgd/model/model.h"

namespace mgd {

// In train.freeze and train.lr_scale: every tensor that is not of the head.
inline constexpr const char* kAllButTheHead = "all but the head";

struct TrainedParts {
  std::int64_t frozen_parameters = 0;
  bool head_alone = false;                 // every tensor but those of the head is frozen
  std::map<std::string, double> lr_scale;  // by name of a parameter; 1 is left out
};

// Freezes what config.freeze names: it requires no gradient, and layers of which nothing trains stay in
// evaluation mode. Throws Error(usage) with the place for a pattern that means no tensor (nearest named), for
// a factor on nothing but what is frozen, and when nothing is left to train.
TrainedParts choose_trained_parts(Model& student, const Config& config);

// Lines of the resolved table; none where all trains alike.
std::vector<std::string> describe_parts(const TrainedParts& parts, const Model& student);

// The rate for train.lr = 0: that of the optimizer for a student that starts fresh, or of which the head
// trains alone; a tenth of it for one whose given weights train.
double default_learning_rate(const std::string& optimizer, bool given_weights_train);

}  // namespace mgd
