#include "mgd/text/normal_form.h"

#include <unicode/uchar.h>
#include <unicode/unorm2.h>

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// A character of the result. `change` says what it stands for: 0 = the next character of the source, -n = the
// next one and n more that vanish, 1 = none of its own (it came with the one before).
struct Change {
  char32_t c = 0;
  int change = 0;
  std::uint8_t ccc = 0;  // canonical combining class
};

// Unicode 9 is what the package knows. Compositions and decompositions of a character never change once it
// has them, so those of younger characters are left out and nothing else differs.
bool in_unicode_9(char32_t c) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] >= 1 && (age[0] < 9 || (age[0] == 9 && age[1] == 0));
}

std::uint8_t combining_class(char32_t c) {
  return c < 0x300 || !in_unicode_9(c) ? std::uint8_t{0} : u_getCombiningClass(static_cast<UChar32>(c));
}

const UNormalizer2* tables(bool compatible) {
  UErrorCode status = U_ZERO_ERROR;
  const UNormalizer2* found = compatible ? unorm2_getNFKCInstance(&status) : unorm2_getNFCInstance(&status);
  if (U_FAILURE(status))
    fail(ExitCode::environment, "ICU: no tables of normal forms ({}); expected libicu's data beside it",
         u_errorName(status));
  return found;
}

// Decomposes and puts each run of combining marks in canonical order.
std::vector<Change> decompose(const AlignedText& text, bool compatible) {
  const UNormalizer2* const forms = tables(compatible);
  std::vector<Change> out;
  out.reserve(text.bytes.size());
  std::size_t run = 0;  // start of the current run of marks
  const auto sort_run = [&] {
    std::stable_sort(out.begin() + static_cast<std::ptrdiff_t>(run), out.end(),
                     [](const Change& a, const Change& b) { return a.ccc < b.ccc; });
  };
  const auto put = [&](char32_t c, int change) {
    const std::uint8_t ccc = combining_class(c);
    if (ccc == 0) sort_run();
    out.push_back({c, change, ccc});
    if (ccc == 0) run = out.size();
  };
  for (std::size_t at = 0; at < text.bytes.size();) {
    const char32_t c = next_code_point(text.bytes, at);
    UChar parts[32];  // the longest decomposition has 18 units (U+FDFA)
    UErrorCode status = U_ZERO_ERROR;
    const int n = c < 0xA0 || !in_unicode_9(c)
                      ? -1
                      : unorm2_getDecomposition(forms, static_cast<UChar32>(c), parts, 32, &status);
    if (n < 0) {
      put(c, 0);
      continue;
    }
    for (int i = 0; i < n;) {
      const int change = i > 0 ? 1 : 0;
      UChar32 part = 0;
      U16_NEXT(parts, i, n, part);
      put(static_cast<char32_t>(part), change);
    }
  }
  sort_run();
  return out;
}

// Composes in place (Unicode 3.11, D117): a starter takes up what follows and is not blocked from it.
void compose(std::vector<Change>& changes) {
  const UNormalizer2* const forms = tables(false);
  std::size_t kept = 0, starter = changes.size();
  int last_ccc = -1;  // of what stands between the starter and the current character; -1: nothing
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const Change current = changes[i];
    if (starter < kept && last_ccc < std::max<int>(current.ccc, last_ccc < 0 ? 0 : 1)) {
      const UChar32 composed = unorm2_composePair(forms, static_cast<UChar32>(changes[starter].c),
                                                  static_cast<UChar32>(current.c));
      if (composed >= 0 && in_unicode_9(static_cast<char32_t>(composed))) {
        changes[starter].c = static_cast<char32_t>(composed);
        changes[starter].change += current.change - 1;
        continue;
      }
    }
    if (current.ccc == 0) {
      starter = kept;
      last_ccc = -1;
    } else {
      last_ccc = current.ccc;
    }
    changes[kept++] = current;
  }
  changes.resize(kept);
}

// The text that the changes describe. A character of its own keeps its origin; one that came with the one
// before has the origin of the last byte taken so far.
AlignedText written(const AlignedText& text, const std::vector<Change>& changes) {
  AlignedText out;
  out.start = text.start;
  out.reserve(text.bytes.size());
  std::size_t at = 0;
  const auto skip = [&] {
    if (at < text.bytes.size()) next_code_point(text.bytes, at);
  };
  for (const Change& change : changes) {
    if (change.change > 0) {
      out.put(change.c, at == 0 ? OriginSpan{text.start, text.start} : text.origins[at - 1]);
      continue;
    }
    out.put(change.c, text.origins[std::min(at, text.origins.size() - 1)]);
    for (int i = 0; i <= -change.change; ++i) skip();
  }
  return out;
}

}  // namespace

void normalize(AlignedText& text, NormalForm form) {
  // Characters below U+0300 are their own NFC, below U+00C0 their own NFD, below U+00A0 their own NFKC and
  // NFKD; these are the lead bytes of the first ones beyond.
  const unsigned char plain_below = form == NormalForm::nfc ? 0xCC : form == NormalForm::nfd ? 0xC3 : 0xC2;
  if (std::all_of(text.bytes.begin(), text.bytes.end(), [&](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < plain_below;
      }))
    return;
  const bool compatible = form == NormalForm::nfkc || form == NormalForm::nfkd;
  std::vector<Change> changes = decompose(text, compatible);
  if (form == NormalForm::nfc || form == NormalForm::nfkc) compose(changes);
  text = written(text, changes);
}

}  // namespace mgd
