// Batches of text in a deterministic order, prepared by background threads.
#pragma once

#include <functional>
#include <span>

#include "mgd/data/queued_stream.h"
#include "mgd/data/text_source.h"

namespace mgd {

// Samples -> one micro-batch, as an Objective (mask/objective.h) does. Called by several threads at once.
using MakeTextBatch = std::function<Batch(std::span<const TextSample> samples, std::int64_t epoch)>;

// As for pictures, nothing depends on the number of threads or on the micro-batches. A batch is packed end to
// end and holds no padding, so samples are not sorted by their length: a short one costs what it has.
//
// A split is measured by one epoch of a loader that neither shuffles nor drops, whose batches come from
// make_eval_objective.
class TextLoader final : public QueuedStream {
 public:
  // `source` must outlive the loader, and a thread of it that hangs: one held by a shared pointer does.
  TextLoader(const TextSource& source, MakeTextBatch make, const StreamOptions& options);
};

}  // namespace mgd
