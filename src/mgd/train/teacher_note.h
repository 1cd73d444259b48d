// What a run has learned of its teacher, kept with the cache of its outputs for runs that do not load it.
#pragma once

#include <optional>
#include <string>

#include "mgd/train/finish.h"
#include "mgd/train/preflight.h"

namespace mgd {

// nullopt: not known, or no cache.
std::optional<Preflight> noted_preflight(const RunTeacher& teacher);
void note_preflight(RunTeacher& teacher, const Preflight& preflight);  // without a cache nothing happens

// Of the split as it is now: of other samples nothing is known.
std::optional<ModelMeasures> noted_measures(const Run& run, const RunTeacher& teacher,
                                            const std::string& split);
void note_measures(const Run& run, RunTeacher& teacher, const std::string& split,
                   const ModelMeasures& measures);

}  // namespace mgd
