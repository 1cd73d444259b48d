// Layers and tensors by name: "layer1", "layer1.0.bn2.weight", "*.bias", "blocks.?.conv".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mgd {

// Whether `pattern` means the tensor `name`: the name itself, or a layer on its path. `*` stands for any
// number of characters, dots included, `?` for one.
bool matches_name(std::string_view pattern, std::string_view name);

// The names of tensors and of every layer on their paths, each once: what a pattern without * and ? may be.
std::vector<std::string> names_and_layers(const std::vector<std::string>& tensors);

}  // namespace mgd
