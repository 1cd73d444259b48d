#include "mgd/format/cifar_binary.h"

#include "mgd/core/error.h"

namespace mgd {
namespace {
constexpr std::size_t kSide = 32, kPlane = kSide * kSide, kPixels = 3 * kPlane;
constexpr int kCoarseClasses = 20;
}  // namespace

Image CifarBatch::image(std::int64_t index) const {
  MGD_ASSERT(index >= 0 && index < static_cast<std::int64_t>(labels.size()));
  Image out{kSide, kSide, 3, std::vector<std::uint8_t>(kPixels)};
  const char* planes = pixels.data() + static_cast<std::size_t>(index) * kPixels;
  for (std::size_t i = 0; i < kPlane; ++i)
    for (std::size_t c = 0; c < 3; ++c)
      out.pixels[3 * i + c] = static_cast<std::uint8_t>(planes[c * kPlane + i]);
  return out;
}

CifarBatch read_cifar_batch(std::string_view bytes, std::int64_t num_classes, const std::string& source) {
  MGD_ASSERT(num_classes == 10 || num_classes == 100);
  const std::size_t label_bytes = num_classes == 10 ? 1 : 2;
  const std::size_t record = label_bytes + kPixels;
  if (bytes.empty() || bytes.size() % record != 0)
    fail(ExitCode::bad_data, "{}: {} bytes, expected a multiple of {} (CIFAR-{} records)", source,
         bytes.size(), record, num_classes);
  CifarBatch batch;
  const std::size_t count = bytes.size() / record;
  batch.labels.reserve(count);
  batch.pixels.reserve(count * kPixels);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view row = bytes.substr(i * record, record);
    const int label = static_cast<std::uint8_t>(row[label_bytes - 1]);
    const int coarse = label_bytes == 2 ? static_cast<std::uint8_t>(row[0]) : 0;
    if (label >= num_classes || coarse >= kCoarseClasses)
      fail(ExitCode::bad_data, "{}: record {}: label {} (coarse {}), expected below {} (coarse below {})",
           source, i, label, coarse, num_classes, kCoarseClasses);
    batch.labels.push_back(label);
    batch.pixels.append(row.substr(label_bytes));
  }
  return batch;
}

}  // namespace mgd
