// The masked generative distillation loss of one batch, from C++: a small student, a teacher, a random mask.
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/randn.h>
#include <fmt/core.h>

#include "mgd/loss/loss.h"
#include "mgd/mask/sampler.h"
#include "mgd/model/image_model.h"

int main() {
  const auto student = mgd::make_model({.architecture = "cifar_resnet8"}, /*seed=*/1);
  const auto teacher = mgd::make_model({.architecture = "cifar_resnet20"}, /*seed=*/2);
  mgd::Batch batch{.input = at::randn({4, 3, 32, 32}),
                   .target = at::arange(4),
                   .target_probs = {},
                   .sample_ids = {0, 1, 2, 3}};

  const auto run = [&](mgd::ImageModel& model) {  // features and logits at the model's last stage
    mgd::Forward forward(/*training=*/false);
    forward.capture(model.default_tap());
    return model.run(batch, forward);
  };
  const mgd::Record s = run(*student), t = run(*teacher);

  // Axes and sizes of one sample: the loss builds its generation block from them.
  const auto infos = [](const mgd::Record& record) {
    mgd::NodeInfos result;
    for (const auto& [name, node] : record.nodes)
      result[name] = {.axes = node.axes, .sizes = node.data.sizes().slice(1).vec()};
    return result;
  };
  const mgd::Node entry = mgd::parse_yaml("{name: mgd, mask: channel, mask_ratio: 0.15}", "example");
  const auto losses = mgd::make_losses(entry, {.student = infos(s),
                                               .teacher = infos(t),
                                               .student_default_tap = student->default_tap(),
                                               .teacher_default_tap = teacher->default_tap(),
                                               .num_classes = 10,
                                               .seed = 1});
  mgd::Loss& loss = *losses.at(0);

  const auto sampler = mgd::make_sampler({.mask = "channel"});
  const at::Tensor keep = sampler->sample(infos(t).at(teacher->default_tap()).sizes, 0.15,
                                          {mgd::random_key(1, "mask/mgd"), /*step=*/0, batch.sample_ids});
  const at::Tensor sum = loss.sum({.batch = batch, .student = s, .teacher = t, .keep = keep});
  sum.backward();  // student and generation block now have gradients
  fmt::print("mgd loss: {:.6f}\n",
             loss.weight() * sum.item<double>() / loss.count({.batch_size = batch.size(), .keep = keep}));
}
