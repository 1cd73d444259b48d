#include "mgd/task/tasks.h"

#include "mgd/core/error.h"
#include "mgd/task/image_task.h"
#include "mgd/task/text_task.h"

namespace mgd {

namespace {

struct KnownTask {
  bool (*is)(const Config& config);
  std::unique_ptr<Task> (*open)(const Config& config, at::Device device, const Host& host);
};

template <class Kind>
std::unique_ptr<Task> open(const Config& config, at::Device device, const Host& host) {
  return std::make_unique<Kind>(config, device, host);
}

// The first that is asked for; reading the recipe has refused what none of them is.
constexpr KnownTask kTasks[] = {
    {[](const Config& config) { return config.reads_text(); }, open<TextTask>},
    {[](const Config&) { return true; }, open<ImageTask>},
};

}  // namespace

std::unique_ptr<Task> make_task(const Config& config, at::Device device, const Host& host) {
  check_own(host.models);
  for (const KnownTask& task : kTasks)
    if (task.is(config)) return task.open(config, device, host);
  fail(ExitCode::usage, "task: nobody knows '{}'", config.task);
}

}  // namespace mgd
