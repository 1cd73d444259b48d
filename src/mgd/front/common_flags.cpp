#include "mgd/front/args.h"

namespace mgd {

void CommonFlags::visit_run(OptionVisitor& v) {
  v.option("run_dir", run_dir, {.help = "folder of the run"});
  v.option("seed", seed, {.help = "of order, masks and initialisation", .min = 0});
  v.option("resume", resume, {.help = "go on from the newest good checkpoint of the run"});
  v.option("overwrite", overwrite, {.help = "replace what is in the folder of the run"});
  v.option("dry_run", dry_run, {.help = "one batch through everything, then stop"});
}

void CommonFlags::visit_machine(OptionVisitor& v) {
  v.option("threads", threads, {.help = "of the arithmetic; 0 = all cores", .min = 0, .max = 1024});
  v.option("device", device, {.help = "where the arithmetic is done", .choices = {"cpu", "cuda"}});
  v.option("allocator", allocator, {.help = "of tensors on the CPU", .choices = {"caching", "system"}});
}

void CommonFlags::visit_output(OptionVisitor& v) {
  v.option("quiet", quiet, {.help = "no progress"});
  v.option("json", json, {.help = "results as JSON, an object a line"});
  v.option("color", color, {.help = "colours", .choices = {"auto", "always", "never"}});
}

void CommonFlags::visit(OptionVisitor& v) {
  visit_run(v);
  visit_machine(v);
  visit_output(v);
}

std::vector<std::string> CommonFlags::overrides() const {
  std::vector<std::string> given;
  // Quoted where YAML would read something else into it.
  const auto text = [](const std::string& value) { return to_yaml_flow(Node::make_scalar(value)); };
  if (!run_dir.empty()) given.push_back("run.dir=" + text(run_dir));
  if (seed >= 0) given.push_back("run.seed=" + std::to_string(seed));
  if (threads >= 0) given.push_back("run.threads=" + std::to_string(threads));
  if (!device.empty()) given.push_back("run.device=" + text(device));
  if (!allocator.empty()) given.push_back("run.allocator=" + text(allocator));
  return given;
}

}  // namespace mgd
