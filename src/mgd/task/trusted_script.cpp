#include "mgd/task/trusted_script.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/sin.h>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/model/script_model.h"

namespace mgd {
namespace {

void require_trust(const ModelConfig& config, const std::string& role) {
  require_regular_file(config.script);
  const std::string hash = sha256_file(config.script);
  if (config.trust == hash) return;
  if (config.trust.empty())
    fail(ExitCode::refused,
         "{}.script: {} is a program that runs here with your rights; if you trust where it comes from, say "
         "--trust once, or write trust: {}",
         role, config.script, hash);
  fail(ExitCode::refused,
       "{}.trust: {} is another file than the trusted one: expected the SHA-256 {}, got {}", role,
       config.script, config.trust, hash);
}

}  // namespace

OpenedModel open_trusted_script(const ModelConfig& config, const ModelDefaults& defaults,
                                const std::string& role) {
  require_trust(config, role);
  const std::vector<std::int64_t> sizes{1, defaults.in_channels, defaults.height, defaults.width};
  const std::int64_t numbers = defaults.in_channels * defaults.height * defaults.width;
  OpenedScript script = open_script(config.script, at::sin(at::arange(numbers, at::kFloat)).view(sizes));
  const std::int64_t classes = script.has_logits ? script.model->spec().num_classes : 0;
  FittedClasses fitted = fit_classes({}, classes, defaults.classes, role);
  if (!fitted.rows.empty())
    fail(ExitCode::usage,
         "data.classes: the classes of {} come in another order than the data's, and a TorchScript's outputs "
         "stay "
         "as they are; name the folders of the data in its order",
         config.script);
  OpenedModel opened{.model = std::move(script.model), .source = config.script};
  opened.info = {.architecture = opened.model->architecture(),
                 .num_classes = fitted.num_classes,
                 .label_names = std::move(fitted.names),
                 .in_channels = defaults.in_channels,
                 .height = defaults.height,
                 .width = defaults.width};
  for (std::string& line : script.notes) opened.notes.push_back(std::move(line));
  if (!fitted.note.empty()) opened.notes.push_back(std::move(fitted.note));
  opened.no_logits = std::move(fitted.no_logits);
  opened.named = fitted.named;
  return opened;
}

}  // namespace mgd
