// A TextConfig as the options of stacks and heads.
#pragma once

#include "mgd/model/text_head.h"
#include "mgd/model/transformer.h"

namespace mgd {

StackOptions encoder_options(const TextConfig& config);  // or those of a decoder alone
StackOptions decoder_options(const TextConfig& config);  // of an encoder-decoder
HeadOptions head_options(const TextConfig& config);

}  // namespace mgd
