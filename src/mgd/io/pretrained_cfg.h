// timm's pretrained_cfg: how a model wants to see its pictures.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "mgd/io/model_folder.h"

namespace mgd {

// Reads channels, size, mean, std, interpolation, crop and the sizes of test_input_size from
// config["pretrained_cfg"], or from the top level, where timm wrote them before 2023. What is left out means
// what it means to timm: bicubic, crop 0.875, center. Throws Error(bad_data) naming the key.
void parse_pretrained_cfg(const nlohmann::json& config, const std::string& source, ModelFolderInfo& info);

// The same keys, all written out.
nlohmann::ordered_json pretrained_cfg_json(const ModelFolderInfo& info);

}  // namespace mgd
