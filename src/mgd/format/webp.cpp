#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "mgd/core/error.h"
#include "mgd/format/picture_codec.h"

namespace mgd {
namespace {

const std::uint8_t* data_of(std::string_view bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

bool matches(std::string_view start) {
  return start.size() >= 12 && start.starts_with("RIFF") && start.substr(8, 4) == "WEBP";
}

std::optional<ImageHeader> header(std::string_view start) {
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data_of(start), start.size(), &features) != VP8_STATUS_OK) return std::nullopt;
  return ImageHeader{features.height, features.width, 3};
}

// Owns what the demuxer lends, so that an error leaves nothing behind.
struct Demuxer {
  std::unique_ptr<WebPDemuxer, void (*)(WebPDemuxer*)> demuxer;
  WebPIterator frame{};
  WebPChunkIterator exif{};
  explicit Demuxer(const WebPData& data) : demuxer(WebPDemux(&data), WebPDemuxDelete) {}
  ~Demuxer() {
    WebPDemuxReleaseIterator(&frame);
    WebPDemuxReleaseChunkIterator(&exif);
  }
  Demuxer(const Demuxer&) = delete;
  Demuxer& operator=(const Demuxer&) = delete;
};

// The lossless decoder keeps four bytes a pixel beside the result.
bool is_lossless(const WebPData& frame) {
  constexpr int kLossless = 2;
  WebPBitstreamFeatures features;
  return WebPGetFeatures(frame.bytes, frame.size, &features) == VP8_STATUS_OK && features.format == kLossless;
}

StoredImage decode(std::string_view bytes, const ImageLimits& limits) {
  Demuxer webp(WebPData{data_of(bytes), bytes.size()});
  if (!webp.demuxer || WebPDemuxGetFrame(webp.demuxer.get(), 1, &webp.frame) == 0)
    fail(ExitCode::bad_data, "truncated or damaged WebP");
  const auto& frame = webp.frame;
  const std::uint64_t width = WebPDemuxGetI(webp.demuxer.get(), WEBP_FF_CANVAS_WIDTH),
                      height = WebPDemuxGetI(webp.demuxer.get(), WEBP_FF_CANVAS_HEIGHT);
  const bool lossless = is_lossless(frame.fragment);
  check_image_size(lossless ? "lossless WebP" : "WebP", width, height, limits, lossless ? 2 : 1);

  StoredImage result;
  if (WebPDemuxGetChunk(webp.demuxer.get(), "EXIF", 1, &webp.exif) != 0)
    result.orientation =
        exif_orientation({reinterpret_cast<const char*>(webp.exif.chunk.bytes), webp.exif.chunk.size});
  const auto x = static_cast<std::uint64_t>(frame.x_offset), y = static_cast<std::uint64_t>(frame.y_offset);
  if (x + static_cast<std::uint64_t>(frame.width) > width ||
      y + static_cast<std::uint64_t>(frame.height) > height)
    fail(ExitCode::bad_data, "damaged WebP: a frame outside its canvas");
  // Black where the first frame of an animation leaves its canvas bare.
  result.image = {static_cast<std::int64_t>(height), static_cast<std::int64_t>(width), 3,
                  std::vector<std::uint8_t>(width * height * 3)};
  auto& pixels = result.image.pixels;
  const std::size_t first = (y * width + x) * 3;
  if (WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, pixels.data() + first,
                        pixels.size() - first, static_cast<int>(width * 3)) == nullptr)
    fail(ExitCode::bad_data, "truncated or damaged WebP");
  return result;
}

}  // namespace

PictureCodec webp_codec() {
  return {"WebP", matches, header, decode};
}

}  // namespace mgd
