// The normal forms of Unicode 9 with the alignment that the `tokenizers` package gives them.
#pragma once

#include "mgd/text/aligned_text.h"

namespace mgd {

enum class NormalForm { nfc, nfd, nfkc, nfkd };

void normalize(AlignedText& text, NormalForm form);

}  // namespace mgd
