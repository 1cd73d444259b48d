#include "mgd/model/script_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/zeros.h>
#include <ATen/record_function.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <sstream>

#include "mgd/core/error.h"
#include "mgd/core/memory.h"
#include "mgd/types/token_grid.h"

namespace mgd {
namespace {

using Outputs = std::vector<std::pair<std::string, at::Tensor>>;

// LibTorch tells of a script's own lines and of its C++ stack. What was wrong says the line after the
// script's own traceback ("RuntimeError: ..."), where there is one, else the first.
std::string telling_line(const std::exception& error) {
  std::istringstream text(error.what());
  std::string first;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("RuntimeError: ") || line.starts_with("builtins.")) return line;
    if (first.empty()) first = line;
  }
  return first.empty() ? "no reason given" : first;
}

// What `f` gives; whatever LibTorch or the script throws is an Error that names the file.
template <class F>
auto tried(const std::string& file, const char* doing, const F& f) -> decltype(f()) {
  try {
    return f();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    if (memory_shortage(error)) throw;
    fail(ExitCode::bad_data, "{}: {}: {}", file, doing, printable(telling_line(error)));
  }
}

class Script {
 public:
  explicit Script(const std::string& file)
      : file_(file), module_(tried(file, "no TorchScript that could be opened", [&] {
          torch::jit::Module opened = torch::jit::load(file, at::Device(at::kCPU));
          opened.eval();
          return opened;
        })) {}

  const torch::jit::Module& module() const { return module_; }
  const std::string& file() const { return file_; }
  const std::vector<std::string>& notes() const { return notes_; }  // of the last run

  Outputs run(const at::Tensor& input) {
    if (input.device() != device_) module_.to(device_ = input.device());
    return tried(file_, "its forward pass fails", [&] {
      const torch::jit::GraphOptimizerEnabledGuard as_written(false);
      const at::NoGradGuard no_grad;
      const auto version = input._version();
      const c10::IValue given = module_.forward({input});
      if (input._version() != version)
        fail(ExitCode::bad_data, "{}: its forward pass writes into the pictures, which the student sees, too",
             file_);
      return outputs_of(given, input.size(0));
    });
  }

 private:
  void add(Outputs& outputs, std::string name, const c10::IValue& value, std::int64_t batch) const {
    if (!value.isTensor())
      fail(ExitCode::bad_data, "{}: its output '{}' is a {}, expected a tensor", file_, printable(name),
           value.tagKind());
    const at::Tensor tensor = value.toTensor();
    if (tensor.dim() < 2 || tensor.size(0) != batch || !at::isFloatingType(tensor.scalar_type()))
      fail(ExitCode::bad_data,
           "{}: its output '{}' is {} ({}) for {} pictures, expected numbers with a fraction, a row for each",
           file_, printable(name), c10::toString(tensor.scalar_type()),
           fmt::format("{}", fmt::join(tensor.sizes(), ", ")), batch);
    outputs.emplace_back(std::move(name), tensor);
  }

  // Tokens as what losses compare.
  static Outputs on_the_picture(const Outputs& outputs) {
    Outputs all;
    for (const auto& [name, value] : outputs) {
      const auto grid = value.dim() == 3 ? grid_of_tokens(value.size(1)) : std::nullopt;
      all.emplace_back(name, grid ? map_of_tokens(value, *grid) : value);
      if (grid && grid->others > 0) all.emplace_back(first_token_of(name), value.select(1, 0));
    }
    return all;
  }

  Outputs outputs_of(const c10::IValue& given, std::int64_t batch) {
    Outputs outputs;
    if (given.isTensor()) {
      add(outputs, "output", given, batch);
    } else if (given.isTuple()) {
      for (const c10::IValue& one : given.toTupleRef().elements())
        add(outputs, std::to_string(outputs.size()), one, batch);
    } else if (given.isList()) {
      for (const c10::IValue& one : given.toListRef())
        add(outputs, std::to_string(outputs.size()), one, batch);
    } else if (given.isGenericDict()) {
      for (const auto& item : given.toGenericDict()) {
        if (!item.key().isString())
          fail(ExitCode::bad_data, "{}: its dictionary has keys of the kind {}, expected strings", file_,
               item.key().tagKind());
        add(outputs, item.key().toStringRef(), item.value(), batch);
      }
    } else {
      fail(ExitCode::bad_data, "{}: it gives a {}, expected a tensor, a tuple or a dictionary of tensors",
           file_, given.tagKind());
    }
    if (outputs.empty()) fail(ExitCode::bad_data, "{}: it gives nothing", file_);
    for (const auto& [name, value] : outputs)
      if (name == "input")
        fail(ExitCode::bad_data, "{}: an output is called 'input', which is the pictures", file_);
    notes_.clear();
    for (const auto& [name, value] : outputs)
      if (const auto grid = value.dim() == 3 ? grid_of_tokens(value.size(1)) : std::nullopt)
        notes_.push_back(fmt::format("{}: {}", printable(name), describe(*grid)));
    return on_the_picture(outputs);
  }

  std::string file_;
  torch::jit::Module module_;
  at::Device device_ = at::kCPU;
  std::vector<std::string> notes_;
};

// Which of the outputs are what.
struct Roles {
  std::string logits, default_tap;  // logits "": there are none
  std::int64_t classes = 1;
};

Roles roles_of(const Outputs& outputs, const std::string& file) {
  Roles roles;
  const auto of_dims = [](std::int64_t dims) {
    return [dims](const auto& output) { return output.second.dim() == dims; };
  };
  const auto map = std::find_if(outputs.begin(), outputs.end(), of_dims(4));
  roles.default_tap = (map != outputs.end() ? *map : outputs.front()).first;
  const auto named =
      std::find_if(outputs.begin(), outputs.end(), [](auto& o) { return o.first == "logits"; });
  const auto& [name, value] = named != outputs.end() ? *named : outputs.front();
  if (value.dim() == 2) {
    roles.logits = name;
    roles.classes = value.size(1);
  } else if (named != outputs.end()) {
    fail(ExitCode::bad_data, "{}: its output 'logits' has {} dimensions, expected (B, K)", file, value.dim());
  }
  return roles;
}

class ScriptModel final : public ImageModel {
 public:
  // macs: of one picture.
  ScriptModel(ModelSpec spec, Script script, Roles roles, std::int64_t macs)
      : ImageModel(std::move(spec)), script_(std::move(script)), roles_(std::move(roles)), macs_(macs) {
    for (const auto& entry : script_.module().named_parameters())
      add_parameter(entry.name, entry.value, TensorKind::weight);
    for (const auto& entry : script_.module().named_buffers()) add_buffer(entry.name, entry.value);
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    const at::Tensor seen = forward.node("input", std::move(input));
    at::Tensor logits;
    const Outputs outputs = script_.run(seen);
    forward.add_macs(macs_ * seen.size(0));
    for (const auto& [name, value] : outputs) {
      const at::Tensor given = forward.node(name, value);
      if (name == roles_.logits) logits = given;
    }
    if (logits.defined()) return logits;
    if (!roles_.logits.empty())
      fail(ExitCode::bad_data, "{}: no output '{}' this time", script_.file(), roles_.logits);
    return at::zeros({seen.size(0), 1}, seen.options());
  }

  std::string default_tap() const override { return roles_.default_tap; }
  std::string head_path() const override { return ""; }

 private:
  Script script_;
  Roles roles_;
  std::int64_t macs_;
};

// Of aten::convolution(input, weight, bias, stride, padding, dilation, transposed, ...).
std::int64_t macs_of_convolution(c10::ArrayRef<const c10::IValue> in) {
  constexpr std::size_t kArguments = 7;
  if (in.size() < kArguments || !in[0].isTensor() || !in[1].isTensor()) return 0;
  const at::Tensor x = in[0].toTensor(), weight = in[1].toTensor();  // (B, C, ...), (Cout, C / groups, ...)
  const std::int64_t taps = weight.numel() / weight.size(0);
  if (in[6].toBool()) return x.numel() * taps;
  const auto stride = in[3].toIntVector(), padding = in[4].toIntVector(), dilation = in[5].toIntVector();
  std::int64_t outputs = x.size(0) * weight.size(0);
  for (std::int64_t d = 2; d < x.dim(); ++d) {
    const auto at = [d](const std::vector<std::int64_t>& sizes) {
      return sizes.at(std::min(static_cast<std::size_t>(d - 2), sizes.size() - 1));
    };
    outputs *= (x.size(d) + 2 * at(padding) - at(dilation) * (weight.size(d) - 1) - 1) / at(stride) + 1;
  }
  return outputs * taps;
}

std::int64_t macs_of_product(c10::ArrayRef<const c10::IValue> in, std::size_t first) {
  if (in.size() < first + 2 || !in[first].isTensor() || !in[first + 1].isTensor()) return 0;
  return in[first].toTensor().numel() * in[first + 1].toTensor().size(-1);
}

std::int64_t macs_of_call(const at::RecordFunction& call) {
  const std::string_view name = call.name();
  if (name == "aten::convolution") return macs_of_convolution(call.inputs());
  if (name == "aten::addmm" || name == "aten::baddbmm") return macs_of_product(call.inputs(), 1);
  if (name == "aten::mm" || name == "aten::bmm") return macs_of_product(call.inputs(), 0);
  return 0;
}

// Multiply-accumulates of the convolutions and matrix products in `f`, which is called at least once; 0: they
// could not be counted. The first calls after a watch begins may hide what they were given.
template <class F>
std::int64_t count_macs(const F& f) {
  struct Count {
    std::int64_t macs = 0;
    bool complete = true;
  };
  static thread_local Count count;
  const auto watch = [](const at::RecordFunction& call) -> std::unique_ptr<at::ObserverContext> {
    try {
      count.macs += macs_of_call(call);
    } catch (const c10::Error&) {
      count.complete = false;
    }
    return nullptr;
  };
  constexpr int kMostTries = 3;
  for (int i = 0; i < kMostTries; ++i) {
    count = {};
    const auto handle = at::addThreadLocalCallback(
        at::RecordFunctionCallback(watch).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
    try {
      f();
    } catch (...) {
      at::removeCallback(handle);
      throw;
    }
    at::removeCallback(handle);
    if (count.complete) return count.macs;
  }
  return 0;
}

}  // namespace

namespace {

// Dropout that was left on, or a draw: a resumed run would be another one, and a cache would lie.
void require_same_again(Script& script, const at::Tensor& sample, const Outputs& first) {
  for (const auto& [name, value] : first)
    if (!at::isfinite(value).all().item<bool>())
      fail(ExitCode::bad_data, "{}: its output '{}' is NaN or infinity for an ordinary picture",
           script.file(), printable(name));
  const Outputs again = script.run(sample);
  for (std::size_t i = 0; i < first.size(); ++i)
    if (i >= again.size() || !at::equal(first[i].second, again[i].second))
      fail(ExitCode::bad_data,
           "{}: its output '{}' differs between two passes over the same pictures; save it in evaluation "
           "mode, "
           "without dropout and other draws",
           script.file(), printable(first[i].first));
}

}  // namespace

OpenedScript open_script(const std::string& file, const at::Tensor& sample) {
  Script script(file);
  Outputs outputs;
  const std::int64_t macs = count_macs([&] { outputs = script.run(sample); });
  require_same_again(script, sample, outputs);
  Roles roles = roles_of(outputs, file);
  OpenedScript opened{.model = nullptr, .has_logits = !roles.logits.empty(), .notes = script.notes()};
  const ModelSpec spec{.architecture = "TorchScript",
                       .num_classes = roles.classes,
                       .in_channels = sample.size(1),
                       .image_height = sample.size(2),
                       .image_width = sample.size(3)};
  opened.model =
      std::make_unique<ScriptModel>(spec, std::move(script), std::move(roles), macs / sample.size(0));
  opened.model->set_path("");
  return opened;
}

}  // namespace mgd
