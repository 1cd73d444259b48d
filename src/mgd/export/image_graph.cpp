#include "mgd/export/image_graph.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isnan.h>

#include <algorithm>
#include <limits>

#include "mgd/core/philox.h"
#include "mgd/export/form.h"
#include "mgd/export/interpret.h"
#include "mgd/export/simplify.h"
#include "mgd/export/translate.h"

namespace mgd {

namespace {

// N(0, 1), as normalised pictures are; the same for the same seed.
at::Tensor random_pictures(at::IntArrayRef shape, std::uint64_t seed) {
  RandomStream random(random_key(seed, "export/pictures"), 0, 0);
  at::Tensor pictures = at::empty(shape, at::kFloat);
  auto* data = pictures.mutable_data_ptr<float>();
  std::generate_n(data, pictures.numel(), [&] { return static_cast<float>(random.normal()); });
  return pictures;
}

OperatorRecord recorded(ImageModel& model, at::IntArrayRef shape, std::uint64_t seed) {
  const Pass pass{.inputs = {{"input", random_pictures(shape, seed).to(at::kDouble)}},
                  .run = [&](const NamedTensors& inputs, Forward& forward) -> NamedTensors {
                    return {{"logits", model.forward(inputs.at("input"), forward)}};
                  }};
  return record_pass(pass, has_form);
}

class InDouble {
 public:
  explicit InDouble(ImageModel& model) : model_(model) { model_.to(at::kDouble); }
  ~InDouble() { model_.to(at::kFloat); }
  InDouble(const InDouble&) = delete;
  InDouble& operator=(const InDouble&) = delete;

 private:
  ImageModel& model_;
};

const FreeDims kFree{{"input", {"batch", "channels", "height", "width"}}, {"logits", {"batch", "classes"}}};

}  // namespace

ImageGraph image_graph(ImageModel& model, std::int64_t height, std::int64_t width) {
  const at::NoGradGuard no_grad;
  const InDouble precise(model);
  const std::int64_t channels = model.spec().in_channels;
  std::vector<OperatorRecord> records;
  records.push_back(recorded(model, {2, channels, height, width}, 1));
  records.push_back(recorded(model, {3, channels, height, width}, 2));
  ImageGraph exported;
  // Odd and even sizes, so that padding which depends on them is seen.
  records.push_back(recorded(model, {2, channels, height + 33, width + 50}, 3));
  try {
    exported.graph = translate(records, model, kFree);
    exported.any_size = true;
  } catch (const Varies& what) {
    exported.fixed_by = what.what();
    records.pop_back();
    exported.graph = translate(records, model, kFree);
  }
  simplify(exported.graph);
  to_float(exported.graph);
  name_nodes(exported.graph);
  return exported;
}

double relative_difference(const at::Tensor& got, const at::Tensor& expected) {
  double worst = 0;
  for (std::int64_t b = 0; b < expected.size(0); ++b) {
    const at::Tensor right = expected[b].to(at::kDouble), wrong = got[b].to(at::kDouble) - right;
    const double size = right.abs().max().item<double>(), difference = wrong.abs().max().item<double>();
    if (!std::isfinite(difference)) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, difference == 0 ? 0 : difference / size);
  }
  return worst;
}

double graph_difference(const ImageGraph& exported, ImageModel& model, std::int64_t height,
                        std::int64_t width) {
  const at::NoGradGuard no_grad;
  double worst = 0;
  for (const std::int64_t batch : {1, 4}) {
    const std::int64_t more = exported.any_size && batch == 1 ? 13 : 0;
    const at::Tensor pictures =
        random_pictures({batch, model.spec().in_channels, height + more, width + 2 * more}, 10);
    Forward forward(/*training=*/false);
    const at::Tensor expected = model.forward(pictures, forward);
    const at::Tensor got = run_graph(exported.graph, {{"input", pictures}}).at("logits");
    worst = std::max(worst, relative_difference(got, expected));
  }
  return worst;
}

}  // namespace mgd
