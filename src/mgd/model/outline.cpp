#include "mgd/model/outline.h"

#include "mgd/model/architectures.h"

namespace mgd {

std::optional<Outline> outline_of(const ModelSpec& spec, Naming naming) {
  const Architecture architecture = checked_architecture(spec);
  const bool by_rule = naming == Naming::other && architecture.other_tensor != nullptr;
  BuildModel* build = naming == Naming::own || by_rule ? architecture.build : architecture.other_names;
  if (build == nullptr) return std::nullopt;
  RandomStream nothing = RandomStream::idle_stream();
  const auto model = build(spec, nothing);
  Outline outline;
  for (const NamedTensor& entry : model->state())
    outline.push_back({entry.name, entry.tensor.sizes().vec(), entry.kind});
  if (by_rule)
    for (TensorOutline& tensor : outline) {
      const TensorKind kind = tensor.kind;
      tensor = architecture.other_tensor(tensor);
      tensor.kind = kind;
    }
  return outline;
}

}  // namespace mgd
