// Networks that a program brings along, beside those of the table of architectures.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
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

// Of a class with the constructor M(const ModelSpec&, RandomStream&).
template <class M>
OwnModel own_model(std::string name, std::string version = "1") {
  return {.name = std::move(name),
          .build = [](const ModelSpec& spec, RandomStream& random) -> std::unique_ptr<ImageModel> {
            return std::make_unique<M>(spec, random);
          },
          .version = std::move(version)};
}

// Null: none of that name.
const OwnModel* find_own(std::span<const OwnModel> own, const std::string& name);

// Throws Error(usage): one without a name or a function, a name twice, or that of a known architecture.
void check_own(std::span<const OwnModel> own);

// known_models() and the names of these.
std::vector<std::string> known_models(std::span<const OwnModel> own);

}  // namespace mgd
