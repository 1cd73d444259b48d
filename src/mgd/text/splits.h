// A text in the course of tokenisation: normalised, and cut into pieces that the model sees one by one.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "mgd/text/aligned_text.h"
#include "mgd/text/regex.h"

namespace mgd {

// Bytes [begin, end) of the text, never empty.
struct Split {
  std::size_t begin = 0, end = 0;
  std::int64_t added_token = -1;  // >= 0: the whole piece is this token, and nothing cuts or changes it
};

struct SplitText {
  AlignedText text;
  std::vector<Split> splits;  // in order; what lies between them is dropped

  std::string_view view(const Split& split) const {
    return std::string_view(text.bytes).substr(split.begin, split.end - split.begin);
  }
};

// What becomes of the matches of a pattern ("the-final--countdown" cut at "-"):
enum class SplitBehavior {
  removed,               // the, final, countdown
  isolated,              // the, -, final, -, -, countdown
  merged_with_previous,  // the-, final-, -, countdown
  merged_with_next,      // the, -final, -, -countdown
  contiguous,            // the, -, final, --, countdown
};

// Covers a text with matches and the gaps between them, in order.
using Finder = std::function<void(std::string_view text, std::vector<Match>& out)>;

// Cuts every piece that is no added token.
void cut(SplitText& text, const Finder& find, SplitBehavior behavior);

// Matches each character with the property alone.
template <class P>
void find_characters(std::string_view text, const P& property, std::vector<Match>& out) {
  out.clear();
  std::size_t gap = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    if (!property(next_code_point(text, at))) continue;
    if (gap < begin) out.push_back({gap, begin, false});
    out.push_back({begin, at, true});
    gap = at;
  }
  if (gap < text.size()) out.push_back({gap, text.size(), false});
}

}  // namespace mgd
