// Preloaded into the program: a LibTorch that says it is another release.
#include <string>

namespace at {
std::string show_config();  // as LibTorch declares it, without its headers
std::string show_config() {
  return "PyTorch built with:\n  - Build settings: BUILD_TYPE=Release, TORCH_VERSION=1.13.1, USE_MKL=ON\n";
}
}  // namespace at
