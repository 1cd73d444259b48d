// Compiled with the flags of its instruction set (CMakeLists.txt).
#include "mgd/kernels/attention_isa.h"
#include "mgd/kernels/attention_tiles.h"

namespace mgd {

AttentionKernel<float> attention_float_portable() {
  return {forward<float>, backward<float>};
}
AttentionKernel<Bf16> attention_bf16_portable() {
  return {forward<Bf16>, backward<Bf16>};
}

}  // namespace mgd
