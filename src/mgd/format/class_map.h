// Which of a model's classes is which of the data's: by name, never by position where both sides have names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mgd {

// How the classes of some data are found among those of a model.
enum class ClassFit {
  same,          // the same names in the same order
  order,         // the same names in another order
  subset,        // all of the data's names, and others
  overlap,       // only some of the data's names
  others,        // none of them
  unnamed,       // one side has no names, and as many classes: by position
  other_number,  // one side has no names, and another number of classes
};

struct ClassMap {
  ClassFit fit = ClassFit::same;
  std::vector<std::int64_t>
      model_class;  // of each class of the data; empty for overlap, others, other_number
  std::int64_t model_classes = 0;
  std::vector<std::string> unknown;  // names of the data that the model has not (overlap, others)

  bool found() const { return !model_class.empty(); }
  bool changes_order() const;  // false: class i of the data is class i of the model, and there are no more
};

// `model_names` is empty for a model whose classes have no names. Names that are the numbers of their places
// ("0", "1", ...) count as none where the other side's are words: files of numbers and models without labels
// have such. Names that look the same are the same (format/composed_name.h). Throws Error(usage) for a name
// of the data that the model has twice.
ClassMap match_classes(const std::vector<std::string>& model_names, std::int64_t model_classes,
                       const std::vector<std::string>& data_names);

// "a, b, c", of many the first: "a, b, c, d, e, f, ...".
std::string first_names(const std::vector<std::string>& names);

// "has the data's classes in another order, matched by name", "has 1000 classes, 6 of them the data's,
// matched by name", "has 6 classes without common names, taken in the order of the data's (a, b, ...)": what
// a line on the console says of the model; "" for `same`. For a map that is `found`.
std::string describe_classes(const ClassMap& map, const std::vector<std::string>& data_names);

// Error(usage): "ROLE: the data's class 'glas' is none of its classes; did you mean 'glass'?", or, without
// names, the two numbers of classes. For a map that is not `found`. `hint` says what can be done.
[[noreturn]] void refuse_classes(const ClassMap& map, const std::string& role,
                                 const std::vector<std::string>& model_names,
                                 const std::vector<std::string>& data_names, const std::string& hint);

}  // namespace mgd
