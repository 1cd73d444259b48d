// Which column of a table of pixels holds the labels.
#pragma once

#include <string>

#include "mgd/format/csv.h"

namespace mgd {

struct LabelColumn {
  std::int64_t column = 0;
  std::string reason;  // for the console: "the label is the column 'label', the first"
};

// `asked` is DataConfig::label_column: a name of the header, "first" or "last". When it is empty: the one
// column that the header calls label, class, target or the like; without such a name the first or the last,
// where the values of both say which: the other cannot be a label (it is the same in all rows, no whole
// number, or different in most of them), or only this one counts its few classes from 0 or 1. Throws
// Error(usage) when neither decides, and Error(missing_input) for a name that is not there.
LabelColumn find_label_column(const NumberTable& table, const std::string& asked, const std::string& path);

}  // namespace mgd
