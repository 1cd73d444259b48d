// Uses {fmt} through a header of mgd, in a program that links Torch's own package first.
#include <ATen/ops/ones.h>
#include <fmt/core.h>

#include "mgd/core/error.h"
#include "mgd/nn/forward.h"

int main() try {
  mgd::Forward forward;
  forward.node("x", at::ones({2}));
  mgd::fail(mgd::ExitCode::usage, "{{fmt}} {} for all", FMT_VERSION);
} catch (const mgd::Error& error) {
  fmt::print("{}\n", error.what());
}
