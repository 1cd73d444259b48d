#include "mgd/cli/labelled_images.h"

#include "mgd/data/relabelled_images.h"

namespace mgd {

std::shared_ptr<const ImageSource> in_classes_of(const OpenedModel& opened, const std::string& model,
                                                 std::shared_ptr<const ImageSource> source,
                                                 Console& console) {
  const std::vector<std::string>& names = source->class_names();
  const ClassMap map = match_classes(opened.info.label_names, opened.info.num_classes, names);
  if (!map.found())
    refuse_classes(map, model, opened.info.label_names, names,
                   opened.info.label_names.empty() ? "; --classes names those of the model" : "");
  if (const std::string note = describe_classes(map, names); !note.empty())
    console.note(
        fmt::format("{} {}{}", model, note,
                    map.fit == ClassFit::subset ? "; an answer that is another one counts as wrong" : ""));
  std::vector<std::string> labels = opened.info.label_names.empty() ? names : opened.info.label_names;
  return relabelled(std::move(source), map.model_class, std::move(labels));
}

}  // namespace mgd
