// Networks that a program brings along, beside those of the table of architectures.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "mgd/core/philox.h"
#include "mgd/model/image_model.h"

namespace mgd {

struct OwnModel {
  std::string name;             // in `student.model` and in the config.json of exported folders
  BuildModel* build = nullptr;  // hands its spec on to ImageModel, unchanged
  // A checkpoint of another version is not resumed: change it with what the network computes.
  std::string version = "1";
  std::int64_t side = 32;  // of the pictures that it is used to see
};

// Null: none of that name.
const OwnModel* find_own(std::span<const OwnModel> own, const std::string& name);

// Throws Error(usage): one without a name or a function, a name twice, or that of a known architecture.
void check_own(std::span<const OwnModel> own);

// known_models() and the names of these.
std::vector<std::string> known_models(std::span<const OwnModel> own);

}  // namespace mgd
