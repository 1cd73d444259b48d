#include "mgd/io/pretrained_cfg.h"

#include "mgd/format/json_field.h"

namespace mgd {

namespace {

using nlohmann::json;

constexpr std::int64_t kMostPixels = 65'536;
constexpr double kMostLevel = 1e6;  // of a mean or a standard deviation; images lie in [0, 1] or [0, 255]
constexpr double kMostCrop = 2;

void require_count(const JsonField& field, std::size_t got, std::int64_t channels) {
  if (got != 0 && static_cast<std::int64_t>(got) != channels)
    field.fail_as(fmt::format("{} entries for {} channels", got, channels));
}

struct InputSize {
  std::int64_t channels, height, width;
};
InputSize input_size(const JsonField& field) {
  const auto size = field.integers(1, kMostPixels);
  if (size.size() != 3) field.fail_as(fmt::format("needs three numbers (C, Y, X), got {}", size.size()));
  return {size[0], size[1], size[2]};
}

}  // namespace

void parse_pretrained_cfg(const json& config, const std::string& source, ModelFolderInfo& info) {
  const std::string prefix = JsonField(config, source, "pretrained_cfg").is_there() ||
                                     !JsonField(config, source, "input_size").is_there()
                                 ? "pretrained_cfg."
                                 : "";
  const auto field = [&](const char* name) { return JsonField(config, source, prefix + name); };
  const InputSize size = input_size(field("input_size"));
  info.in_channels = size.channels;
  info.height = size.height;
  info.width = size.width;
  // A model that was made for other channels than its pretrained_cfg was written for.
  if (const JsonField channels(config, source, "model_args.in_chans"); channels.is_there())
    info.in_channels = channels.integer(1, kMostPixels);
  if (field("fixed_input_size").is_there()) info.fixed_input_size = field("fixed_input_size").boolean();
  if (field("test_input_size").is_there()) {
    const InputSize test = input_size(field("test_input_size"));
    info.test_height = test.height;
    info.test_width = test.width;
  }
  if (field("mean").is_there()) info.mean = field("mean").numbers(-kMostLevel, kMostLevel);
  if (field("std").is_there()) info.std = field("std").numbers(0, kMostLevel);
  require_count(field("mean"), info.mean.size(), info.in_channels);
  require_count(field("std"), info.std.size(), info.in_channels);
  info.interpolation = field("interpolation").is_there() ? field("interpolation").text() : "bicubic";
  info.crop_pct = field("crop_pct").is_there() ? field("crop_pct").number(0, kMostCrop) : 0.875;
  info.crop_mode = field("crop_mode").is_there() ? field("crop_mode").text() : "center";
  if (field("test_crop_pct").is_there()) info.test_crop_pct = field("test_crop_pct").number(0, kMostCrop);
}

nlohmann::ordered_json pretrained_cfg_json(const ModelFolderInfo& info) {
  nlohmann::ordered_json cfg{{"input_size", {info.in_channels, info.height, info.width}},
                             {"fixed_input_size", info.fixed_input_size},
                             {"mean", info.mean},
                             {"std", info.std},
                             {"interpolation", info.interpolation},
                             {"crop_pct", info.crop_pct},
                             {"crop_mode", info.crop_mode},
                             {"num_classes", info.num_classes}};
  if (info.test_height > 0) cfg["test_input_size"] = {info.in_channels, info.test_height, info.test_width};
  if (info.test_crop_pct > 0) cfg["test_crop_pct"] = info.test_crop_pct;
  return cfg;
}

}  // namespace mgd
