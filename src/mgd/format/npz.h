// NumPy's .npz: a zip of .npy files, stored or deflated.
#pragma once

#include <map>

#include "mgd/format/npy.h"

namespace mgd {

// The arrays by name ("x_train" for the member "x_train.npy"). Throws what read_npy throws, Error(bad_data)
// for a damaged zip or more than `max_bytes` in all, Error(refused) for encrypted members.
std::map<std::string, NumberArray> read_npz(std::string_view bytes, const std::string& source,
                                            std::uint64_t max_bytes = std::uint64_t{8} << 30);

// Whether a zip holds arrays: its first entry says so. (Zips of pictures begin with the same bytes.) Damaged:
// false.
bool is_npz(const std::string& path);

}  // namespace mgd
