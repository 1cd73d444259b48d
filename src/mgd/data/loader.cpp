#include "mgd/data/loader.h"

#include "mgd/core/error.h"
#include "mgd/data/batch_maker.h"

namespace mgd {
namespace {

std::shared_ptr<BatchWork> picture_work(const ImageSource& source, AugmentChain augment,
                                        const LoaderOptions& options) {
  // Before the first picture is asked for its size.
  if (source.size() == 0) fail(ExitCode::bad_data, "data: no samples");
  return std::make_shared<BatchMaker>(source, std::move(augment), options);
}

StreamOptions stream_options(const LoaderOptions& options) {
  return {.batch_size = options.batch_size,
          .micro_batch_size = options.micro_batch_size,
          .shuffle = options.shuffle,
          .drop_last = options.drop_last,
          .seed = options.seed,
          .threads = options.threads,
          .prefetch_steps = options.prefetch_steps,
          .stall_seconds = options.stall_seconds};
}

}  // namespace

Loader::Loader(const ImageSource& source, AugmentChain augment, LoaderOptions options)
    : QueuedStream(picture_work(source, std::move(augment), options), stream_options(options)) {}

}  // namespace mgd
