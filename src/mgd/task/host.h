// What a program brings along to a training of its own: networks, losses, pictures.
#pragma once

#include <memory>
#include <vector>

#include "mgd/data/image_source.h"
#include "mgd/loss/loss.h"
#include "mgd/model/own_model.h"
#include "mgd/types/group.h"

namespace mgd {

struct Host {
  std::vector<OwnModel> models;
  std::vector<OwnLoss> losses;
  // In place of data.path, which is then empty. Validation and test may be null; the classes of train count.
  // Their fingerprints are a part of a checkpoint's identity.
  OpenedSplits pictures;
  // The processes that train together; null: this one alone. Each opens the same recipe and gets its part of
  // every step.
  std::shared_ptr<Group> group;
};

}  // namespace mgd
