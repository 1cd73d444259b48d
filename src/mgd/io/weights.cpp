#include "mgd/io/weights.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <fmt/ranges.h>

#include <cstring>
#include <filesystem>
#include <set>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/format/safetensors.h"

namespace mgd {

namespace {

constexpr std::pair<Dtype, at::ScalarType> kTypes[] = {{Dtype::boolean, at::kBool},
                                                       {Dtype::u8, at::kByte},
                                                       {Dtype::i8, at::kChar},
                                                       {Dtype::f8_e5m2, at::kFloat8_e5m2},
                                                       {Dtype::f8_e4m3, at::kFloat8_e4m3fn},
                                                       {Dtype::f8_e4m3_fnuz, at::kFloat8_e4m3fnuz},
                                                       {Dtype::f8_e5m2_fnuz, at::kFloat8_e5m2fnuz},
                                                       {Dtype::c64, at::kComplexFloat},
                                                       {Dtype::i16, at::kShort},
                                                       {Dtype::u16, at::kUInt16},
                                                       {Dtype::f16, at::kHalf},
                                                       {Dtype::bf16, at::kBFloat16},
                                                       {Dtype::i32, at::kInt},
                                                       {Dtype::u32, at::kUInt32},
                                                       {Dtype::f32, at::kFloat},
                                                       {Dtype::f64, at::kDouble},
                                                       {Dtype::i64, at::kLong},
                                                       {Dtype::u64, at::kUInt64}};

at::ScalarType scalar_type(Dtype dtype) {
  for (const auto& [ours, theirs] : kTypes)
    if (ours == dtype) return theirs;
  throw std::logic_error("a safetensors dtype without a tensor type");
}

Dtype dtype_of(const at::Tensor& tensor, const std::string& name) {
  for (const auto& [ours, theirs] : kTypes)
    if (theirs == tensor.scalar_type()) return ours;
  fail(ExitCode::internal, "'{}': {} cannot be stored in a safetensors file", name,
       c10::toString(tensor.scalar_type()));
}

// A LoRA adapter's file: products that are to be added to the weights of another.
void refuse_adapter_tensors(const SafetensorsContent& content, const std::string& source) {
  for (const auto& view : content.tensors)
    if (view.name.find(".lora_A.") != std::string::npos || view.name.find(".lora_B.") != std::string::npos)
      fail(ExitCode::bad_data,
           "{}: the weights of an adapter (LoRA), e.g. '{}', without those of the model that it changes; "
           "merge the "
           "two with peft's merge_and_unload() and save the result",
           source, printable(view.name));
}

void load_file(const fs::path& path, TensorMap& tensors, std::map<std::string, std::string>* metadata) {
  const std::string bytes = read_file(path, std::uint64_t{1} << 40);
  refuse_pickle(bytes, path.string());
  refuse_stand_in(bytes, path.string());
  const SafetensorsContent content = parse_safetensors(bytes, path.string());
  refuse_adapter_tensors(content, path.string());
  for (const auto& view : content.tensors) {
    at::Tensor tensor = at::empty(view.shape, at::TensorOptions().dtype(scalar_type(view.dtype)));
    if (!view.bytes.empty()) std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
    tensors.emplace(view.name, std::move(tensor));
  }
  if (metadata) metadata->insert(content.metadata.begin(), content.metadata.end());
}

void load_shards(const fs::path& index_path, TensorMap& tensors,
                 std::map<std::string, std::string>* metadata) {
  const std::string text = read_file(index_path, 100'000'000);
  refuse_pickle(text, index_path.string());
  refuse_stand_in(text, index_path.string());
  const auto index = parse_shard_index(text, index_path.string());
  std::map<std::string, std::vector<std::string>> files;  // shard -> the tensors that it must hold
  for (const auto& [name, file] : index) files[file].push_back(name);
  for (const auto& [file, names] : files) {
    TensorMap shard;
    load_file(index_path.parent_path() / file, shard, metadata);
    for (const auto& name : names)
      if (!shard.contains(name))
        fail(ExitCode::bad_data, "{}: '{}' is not in its shard {}", index_path.string(), name, file);
    for (auto& [name, tensor] : shard)
      if (!tensors.emplace(name, std::move(tensor)).second)
        fail(ExitCode::bad_data, "{}: tensor '{}' is in two shards",
             (index_path.parent_path() / file).string(), name);
  }
}

std::string shape_text(at::IntArrayRef shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

std::string listed(const char* what, const std::vector<std::string>& names) {
  if (names.empty()) return "";
  constexpr std::size_t kMost = 8;
  std::string text = fmt::format(
      "\n  {}: {}", what,
      fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMost)),
                ", "));
  if (names.size() > kMost) text += fmt::format(" and {} more", names.size() - kMost);
  return text;
}

}  // namespace

TensorMap load_tensors(const std::string& path, std::map<std::string, std::string>* metadata) {
  TensorMap tensors;
  if (path.ends_with(".index.json"))
    load_shards(path, tensors, metadata);
  else
    load_file(path, tensors, metadata);
  return tensors;
}

void refuse_adapter(const fs::path& folder) {
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"})
    if (fs::exists(folder / name) && !fs::exists(folder / "config.json"))
      fail(ExitCode::bad_data,
           "{}: holds {}: an adapter (LoRA) alone, without the model that it changes; merge the two with "
           "peft's "
           "merge_and_unload() and save the result",
           folder.string(), name);
}

void require_model_folder(const fs::path& folder) {
  refuse_adapter(folder);
  if (fs::is_regular_file(folder))
    fail(ExitCode::usage,
         "{}: a file, no model folder; weights stand beside the name of their network, e.g. teacher: "
         "{{model: NAME, weights: FILE}}",
         folder.string());
  if (!fs::is_directory(folder)) fail(ExitCode::missing_input, "{}: no such model folder", folder.string());
  if (fs::exists(folder / "config.json")) return;
  for (const char* inner : {"student", "model"})
    if (fs::exists(folder / inner / "config.json"))
      fail(ExitCode::missing_input, "{}: the folder of a run; its model is {}", folder.string(),
           (folder / inner).string());
  fail(ExitCode::missing_input, "{}: no config.json there; not a model folder", folder.string());
}

fs::path weights_of_folder(const fs::path& folder) {
  require_model_folder(folder);
  for (const char* name : {"model.safetensors", "model.safetensors.index.json"})
    if (fs::exists(folder / name)) return folder / name;
  for (const char* name : {"pytorch_model.bin", "pytorch_model.pt", "model.pth"})
    if (fs::exists(folder / name)) {
      const fs::path pickle = folder / name;
      const std::string bytes = read_file(pickle, std::uint64_t{1} << 40);
      refuse_stand_in(bytes, pickle.string());
      refuse_pickle(bytes, pickle.string());
    }
  fail(ExitCode::missing_input, "{}: no model.safetensors there; not a model folder", folder.string());
}

std::string tensors_to_safetensors(const TensorMap& tensors,
                                   const std::map<std::string, std::string>& metadata) {
  std::vector<at::Tensor> kept;  // owns the bytes that the views borrow
  std::vector<TensorView> views;
  kept.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    kept.push_back(tensor.detach().to(at::kCPU).contiguous());
    const at::Tensor& bytes = kept.back();
    views.push_back({.name = name,
                     .dtype = dtype_of(bytes, name),
                     .shape = bytes.sizes().vec(),
                     .bytes = {static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes()}});
  }
  return write_safetensors(std::move(views), metadata);
}

void load_state(Module& module, const TensorMap& tensors, const std::string& source) {
  at::NoGradGuard no_grad;
  std::vector<std::string> missing, unexpected, misshaped, mistyped;
  std::set<std::string> known;
  const auto state = module.state();
  for (const auto& entry : state) {
    known.insert(entry.name);
    const auto it = tensors.find(entry.name);
    if (it == tensors.end()) {
      if (!entry.name.ends_with("num_batches_tracked")) missing.push_back(entry.name);
    } else if (it->second.sizes() != entry.tensor.sizes()) {
      misshaped.push_back(fmt::format("{} is {}, expected {}", entry.name, shape_text(it->second.sizes()),
                                      shape_text(entry.tensor.sizes())));
    } else if (entry.tensor.is_floating_point() && !it->second.is_floating_point()) {
      mistyped.push_back(fmt::format("{} is {}", entry.name, c10::toString(it->second.scalar_type())));
    }
  }
  for (const auto& [name, tensor] : tensors)
    if (!known.contains(name)) unexpected.push_back(name);
  const std::string problems = listed("missing", missing) + listed("unexpected", unexpected) +
                               listed("wrong shape", misshaped) +
                               listed("no floating-point numbers", mistyped);
  if (!problems.empty())
    fail(ExitCode::bad_data, "{}: its tensors do not fit the model:{}", source, problems);
  for (const auto& entry : state)
    if (auto it = tensors.find(entry.name); it != tensors.end()) entry.tensor.detach().copy_(it->second);
}

void require_finite(const Module& module, const std::string& source) {
  std::vector<std::string> broken;
  for (const auto& entry : module.state())
    if (entry.tensor.is_floating_point() && !at::isfinite(entry.tensor.detach()).all().item<bool>())
      broken.push_back(entry.name);
  if (!broken.empty())
    fail(ExitCode::bad_data, "{}: NaN or infinity in its weights:{}", source, listed("tensors", broken));
}

TensorMap state_of(const Module& module) {
  TensorMap all;
  for (const auto& entry : module.state()) all[entry.name] = entry.tensor.detach().to(at::kCPU);
  return all;
}

}  // namespace mgd
