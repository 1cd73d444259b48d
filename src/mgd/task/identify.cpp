#include "mgd/task/identify.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/model/architectures.h"
#include "mgd/task/fit_outline.h"

namespace mgd {

namespace {

constexpr Naming kNamings[] = {Naming::own, Naming::other};

std::string fit_text(const OutlineFit& fit) {
  return fit.width == 1 ? fit.architecture : fmt::format("{} (width {})", fit.architecture, fit.width);
}

std::vector<OutlineFit> all_fits(const TensorMap& tensors, Widths widths) {
  std::vector<OutlineFit> fits;
  for (const auto family : families())
    for (const Architecture& architecture : family()) {
      if (widths == Widths::any && architecture.only_wider) continue;
      for (const Naming naming : kNamings)
        if (auto fit = fit_outline(std::string(architecture.name), naming, tensors, widths))
          fits.push_back(std::move(*fit));
    }
  // Under its own names before another library's, with its own classifier before one that is lent.
  const auto rank = [](const OutlineFit& fit) {
    return (fit.naming == Naming::own ? 0 : 1) + (fit.own_head ? 0 : 2);
  };
  int best = 3;
  for (const OutlineFit& fit : fits) best = std::min(best, rank(fit));
  std::erase_if(fits, [&](const OutlineFit& fit) { return rank(fit) > best; });
  return fits;
}

// "tf_net_b0" is in "tf_net_b0_ns-1234.safetensors"; "net_b0" is not, and not in "net_b01" either.
bool is_word_of(std::string_view word, std::string_view text) {
  const auto joins = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || (!joins(text[at - 1]) && text[at - 1] != '_')) &&
        (end == text.size() || !joins(text[end])))
      return true;
  }
  return false;
}

// The fit that the file's own name, or its folder's, names; null where none or several do.
const OutlineFit* named_by(const std::vector<OutlineFit>& fits, const fs::path& file) {
  for (const std::string& name : {file.filename().string(), file.parent_path().filename().string()}) {
    const OutlineFit* found = nullptr;
    int count = 0;
    for (const OutlineFit& fit : fits)
      if (is_word_of(fit.architecture, name)) {
        found = &fit;
        ++count;
      }
    if (count == 1) return found;
  }
  return nullptr;
}

std::string listed(const char* what, const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 4;
  if (names.empty()) return "";
  const std::vector<std::string> some(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kMost)));
  return fmt::format("\n  {} {}: {}{}", names.size(), what, fmt::join(some, ", "),
                     names.size() > kMost ? ", ..." : "");
}

[[noreturn]] void fail_with_nearest(const TensorMap& tensors, const std::string& file) {
  OutlineGap nearest;
  for (const std::string& name : known_models())
    for (const Naming naming : kNamings)
      if (auto gap = outline_gap(name, naming, tensors); gap && gap->likeness > nearest.likeness)
        nearest = std::move(*gap);
  if (nearest.likeness < 0.1)
    fail(ExitCode::usage,
         "{}: its {} tensors fit no known architecture, and none is like it (the first is '{}'); known: {}",
         file, tensors.size(), tensors.empty() ? "" : tensors.begin()->first,
         fmt::join(known_models(), ", "));
  fail(
      ExitCode::usage,
      "{}: its tensors fit no known architecture; the nearest is {}, with {} of its {} tensors there:{}{}{}\n"
      "Name it with --model (in a recipe: model, width) if it is one that these differences belong to",
      file, nearest.architecture, nearest.shared, nearest.expected, listed("missing", nearest.missing),
      listed("unexpected", nearest.unexpected), listed("of another shape", nearest.misshaped));
}

}  // namespace

Identified identify(const TensorMap& tensors, const std::string& file) {
  std::vector<OutlineFit> fits = all_fits(tensors, Widths::one);
  if (fits.empty()) fits = all_fits(tensors, Widths::any);
  if (fits.empty()) fail_with_nearest(tensors, file);
  if (fits.size() == 1)
    return {fits[0].architecture, fits[0].width,
            fmt::format("its tensors are those of {}", fit_text(fits[0]))};
  std::vector<std::string> names;
  for (const OutlineFit& fit : fits) names.push_back(fit_text(fit));
  const OutlineFit* named = named_by(fits, fs::absolute(file));
  if (named == nullptr)
    fail(ExitCode::usage,
         "{}: its tensors fit {}, which compute different results from them; name one with --model (in a "
         "recipe: model)",
         file, fmt::join(names, " and "));
  return {named->architecture, named->width,
          fmt::format("its tensors fit {}; taken as {}, which its name says", fmt::join(names, " and "),
                      fit_text(*named))};
}

double width_of(const std::string& architecture, const TensorMap& tensors) {
  for (const Naming naming : kNamings)
    if (const auto fit = fit_outline(architecture, naming, tensors, Widths::any)) return fit->width;
  return 1;
}

WeightBorders borders_of(const Outline& outline, const TensorMap& tensors, WeightBorders borders) {
  const OutlineEnds ends = ends_of(outline);
  const auto size_of = [&](const std::string& name, std::int64_t dimension) -> std::int64_t {
    const auto it = tensors.find(name);
    return it != tensors.end() && it->second.dim() > dimension ? it->second.size(dimension) : 0;
  };
  if (const std::int64_t classes = size_of(ends.head + ".weight", 0); classes > 0) borders.classes = classes;
  if (const std::int64_t channels = size_of(ends.stem, 1); channels > 0) borders.channels = channels;
  return borders;
}

WeightBorders borders_of(const std::string& architecture, const TensorMap& tensors) {
  const ModelSpec spec{.architecture = architecture};
  const WeightBorders borders = borders_of(outline_of(spec).value(), tensors);
  const auto other = outline_of(spec, Naming::other);
  return other ? borders_of(*other, tensors, borders) : borders;
}

TensorMap with_own_names(const ModelSpec& spec, TensorMap tensors, std::string& note) {
  note.clear();
  const auto other = outline_of(spec, Naming::other);
  if (!other) return tensors;
  const Outline own = outline_of(spec).value();
  const auto known = [&](const Outline& outline) {
    return std::count_if(outline.begin(), outline.end(),
                         [&](const TensorOutline& tensor) { return tensors.contains(tensor.name); });
  };
  if (known(*other) <= known(own)) return tensors;
  MGD_ASSERT(own.size() == other->size());
  TensorMap renamed;
  for (std::size_t i = 0; i < own.size(); ++i) {
    auto node = tensors.extract((*other)[i].name);
    if (node.empty()) continue;
    if (note.empty()) note = fmt::format("{} read as {}, and all others so", (*other)[i].name, own[i].name);
    // Another library may have a matrix where this one has a convolution 1x1.
    at::Tensor& tensor = node.mapped();
    if (tensor.sizes() == at::IntArrayRef((*other)[i].shape)) tensor = tensor.reshape(own[i].shape);
    renamed.emplace(own[i].name, tensor);
  }
  renamed.merge(tensors);
  return renamed;
}

}  // namespace mgd
