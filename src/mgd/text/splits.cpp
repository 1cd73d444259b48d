#include "mgd/text/splits.h"

#include <algorithm>

namespace mgd {

namespace {

// Joins neighbours so that each of `matches` is a piece of its own.
void join(std::vector<Match>& matches, SplitBehavior behavior) {
  if (behavior == SplitBehavior::removed || behavior == SplitBehavior::isolated) return;
  const bool backward = behavior == SplitBehavior::merged_with_next;
  if (backward) std::reverse(matches.begin(), matches.end());
  std::vector<Match> out;
  bool previous = false;
  for (const Match& match : matches) {
    const bool joins =
        behavior == SplitBehavior::contiguous ? match.matched == previous : match.matched && !previous;
    if (joins && !out.empty())
      (backward ? out.back().begin : out.back().end) = backward ? match.begin : match.end;
    else
      out.push_back(match);
    previous = match.matched;
  }
  if (backward) std::reverse(out.begin(), out.end());
  matches = std::move(out);
}

}  // namespace

void cut(SplitText& text, const Finder& find, SplitBehavior behavior) {
  std::vector<Split> out;
  out.reserve(text.splits.size());
  std::vector<Match> matches;
  for (const Split& split : text.splits) {
    if (split.added_token >= 0) {
      out.push_back(split);
      continue;
    }
    find(text.view(split), matches);
    join(matches, behavior);
    for (const Match& match : matches)
      if (match.begin < match.end && !(behavior == SplitBehavior::removed && match.matched))
        out.push_back({split.begin + match.begin, split.begin + match.end});
  }
  text.splits = std::move(out);
}

}  // namespace mgd
