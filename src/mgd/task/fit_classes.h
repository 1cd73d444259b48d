// A model's classifier, brought to the classes of the data.
#pragma once

#include <string>
#include <vector>

#include "mgd/format/class_map.h"
#include "mgd/io/weights.h"

namespace mgd {

// What a model is opened for decides what becomes of classes that are not those of the data.
enum class HeadUse {
  own,    // nothing is changed: eval, predict, inspect
  teach,  // outputs in the order of the data; where the classes are others, its own: features can teach
  learn,  // outputs in the order of the data: rows taken over by name, or a fresh head
};

struct WantedClasses {
  HeadUse use = HeadUse::own;
  std::vector<std::string> data = {};     // names of the classes of the data; none: it has no labels
  std::vector<std::string> unnamed = {};  // names for weights that come without (data.classes)
  bool fresh = false;                     // a fresh head in any case
};

struct FittedClasses {
  std::int64_t num_classes = 0;    // outputs the opened model is to have
  std::vector<std::string> names;  // theirs; empty: none are known
  std::vector<std::int64_t> rows;  // of the head in the weights, for each output; empty: as they are
  bool fresh_head = false;         // the head in the weights does not count
  std::string no_logits;           // teachers: why the outputs are of no use to this data; "" = they are
  bool named = false;              // by WantedClasses::unnamed
  std::string note;                // for the console; "" = nothing to say
};

// `num_classes` 0: weights without a head. Throws Error(usage) where only some of the data's names are among
// the model's, with the nearest, and Error(bad_data) for HeadUse::own without a head. `role` names the model.
FittedClasses fit_classes(const std::vector<std::string>& names, std::int64_t num_classes,
                          const WantedClasses& wanted, const std::string& role);

// Rows of the tensors below `head`, in this order.
void pick_rows(TensorMap& tensors, const std::string& head, const std::vector<std::int64_t>& rows);

}  // namespace mgd
