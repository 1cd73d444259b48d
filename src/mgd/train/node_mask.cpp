#include "mgd/train/node_mask.h"

#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "mgd/core/error.h"
#include "mgd/mask/mask_entry.h"

namespace mgd {

void NodeMaskOptions::visit(OptionVisitor& v) {
  v.option("node", node,
           {.help = "what is hidden from the student: input, or any node of it (see mgd inspect)"});
  v.option("fill", fill, {.help = "value at hidden places", .choices = {"zero", "learned"}});
  mask.visit(v);
}

NodeMask::NodeMask(NodeMaskOptions options, NodeInfo info, std::string label, std::uint64_t seed)
    : options_(std::move(options)),
      info_(std::move(info)),
      label_(std::move(label)),
      mask_(options_.mask, seed, label_) {
  if (options_.fill == "learned")
    fill_ = &add_parameter("fill", at::zeros({info_.sizes[0], 1, 1}), TensorKind::bias);
}

at::Tensor NodeMask::draw(const Batch& batch, std::uint32_t step, double progress_frac) const {
  return mask_.draw(info_, batch, step, progress_frac);
}

at::Tensor NodeMask::apply(const at::Tensor& activation, const at::Tensor& keep) const {
  // where, not a product: a NaN in a hidden place must not pass.
  const at::Tensor fill = fill_ ? fill_->to(activation.scalar_type()) : at::zeros({}, activation.options());
  return at::where(keep.to(activation.device()), activation, fill);
}

std::vector<std::unique_ptr<NodeMask>> make_node_masks(const std::vector<Node>& entries,
                                                       const NodeInfos& student, std::uint64_t seed) {
  std::vector<std::unique_ptr<NodeMask>> masks;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string where = fmt::format("masks.{}", i);
    NodeMaskOptions options;
    read_options(entries[i], options, where, {"name"});
    const auto it = student.find(options.node);
    if (it == student.end()) {
      std::vector<std::string> known;
      for (const auto& [name, info] : student) known.push_back(name);
      fail(ExitCode::usage, "{}: {}.node: the student has no node '{}'{}", entries[i].origin.text(), where,
           options.node, suggestion(options.node, known));
    }
    if (it->second.axes != Axes::map)
      fail(ExitCode::usage, "{}: {}.node: '{}' is {} {}; only maps (C, Y, X) can be masked",
           entries[i].origin.text(), where, options.node, axes_name(it->second.axes),
           sizes_text(it->second.sizes));
    if (chooses_by_scores(options.mask.mask))
      fail(ExitCode::usage,
           "{}: {}.mask: '{}' chooses positions by what student and teacher say, in the loss mgd only",
           entries[i].origin.text(), where, options.mask.mask);
    check_mask(entries[i], where, options.mask, it->second.axes);
    masks.push_back(
        std::make_unique<NodeMask>(options, it->second, fmt::format("node{}/{}", i, options.node), seed));
  }
  return masks;
}

}  // namespace mgd
