#include "mgd/format/composed_name.h"

#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

std::string composed_name(const std::string& name) {
  // Characters below U+0300 are their own composed form; this is the lead byte of the first one beyond.
  constexpr unsigned char kPlainBelow = 0xCC;
  if (std::all_of(name.begin(), name.end(),
                  [](char c) { return static_cast<unsigned char>(c) < kPlainBelow; }))
    return name;
  UErrorCode status = U_ZERO_ERROR;
  const UNormalizer2* form = unorm2_getNFCInstance(&status);
  if (U_FAILURE(status))
    fail(ExitCode::environment, "ICU: no tables of normal forms ({}); expected libicu's data beside it",
         u_errorName(status));
  // No unit of UTF-16 takes less than a byte of UTF-8, and a composed name is at most three times as long.
  const auto length = static_cast<std::int32_t>(name.size());
  std::u16string wide(name.size(), u'\0'), made(3 * name.size(), u'\0');
  std::int32_t units = 0;
  u_strFromUTF8(wide.data(), length, &units, name.data(), length, &status);
  const std::int32_t composed = unorm2_normalize(form, wide.data(), units, made.data(),
                                                 static_cast<std::int32_t>(made.size()), &status);
  if (U_FAILURE(status)) return name;
  std::string out(3 * static_cast<std::size_t>(composed), '\0');
  std::int32_t bytes = 0;
  u_strToUTF8(out.data(), static_cast<std::int32_t>(out.size()), &bytes, made.data(), composed, &status);
  if (U_FAILURE(status)) return name;
  out.resize(static_cast<std::size_t>(bytes));
  return out;
}

}  // namespace mgd
