// A finished run, read back from its folder.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mgd/core/file.h"
#include "mgd/train/answers_file.h"

namespace mgd {

struct RunRecord {
  std::string folder, name;  // name: the folder's last part
  std::string task, architecture;
  std::int64_t parameters = 0, macs = 0, bytes = 0, seed = 0,
               samples = 0;  // samples: those it was measured on
  double seconds = 0;
  std::string headline;                    // the figure that its task chooses by: accuracy, loss, ...
  double value = 0, validation_value = 0;  // of the measured split, and of the best epoch; NaN: not known
  std::string split, fingerprint;  // of the samples it was measured on; fingerprint "" where not written
  // The recipe, one entry a leaf ("train.lr" -> "0.1"), without what changes no result: seed, folders,
  // threads, caches.
  std::map<std::string, std::string> settings;
  std::map<std::string, StoredAnswer> answers;  // empty where the run left none

  bool higher_is_better() const;
};

// Throws Error(missing_input) where the run is not there or has not ended, Error(bad_data) for files of
// another form.
RunRecord read_run(const std::string& folder);

bool is_finished_run(const fs::path& folder);

}  // namespace mgd
