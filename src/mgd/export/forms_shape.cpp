// What moves numbers without changing them.
#include <ATen/ops/full.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <limits>

#include "mgd/core/error.h"
#include "mgd/export/form.h"

namespace mgd {

namespace {

// One dimension of a result in each pass.
Ints over_passes(const FormContext& c, std::size_t dim) {
  Ints sizes;
  for (std::size_t pass = 0; pass < c.passes(); ++pass)
    sizes.push_back(c.output(pass).size(static_cast<std::int64_t>(dim)));
  return sizes;
}

bool is_fixed(const Ints& sizes) {
  return std::all_of(sizes.begin(), sizes.end(), [&](std::int64_t size) { return size == sizes[0]; });
}

// The dimension of `of` that has these sizes in the passes.
std::optional<std::int64_t> same_as(const FormContext& c, const std::string& of, const Ints& sizes) {
  for (std::int64_t dim = 0; dim < c.rank(of); ++dim) {
    bool same = true;
    for (std::size_t pass = 0; pass < c.passes(); ++pass)
      same = same && c.sizes(of, pass)[static_cast<std::size_t>(dim)] == sizes[pass];
    if (same) return dim;
  }
  return std::nullopt;
}

// Shape[dim] of a value, as one number in a list.
std::string size_of(FormContext& c, const std::string& of, std::int64_t dim) {
  return c.emit("Gather", {c.emit("Shape", {c.value(of)}), c.constant(Ints{dim})},
                {{"axis", std::int64_t{0}}});
}

// The sizes of the result as a list that follows `self`: numbers where they are fixed, 0 where they are those
// of self at the same place, -1 once for what remains, and otherwise sizes of self that are looked up.
std::string target_shape(FormContext& c) {
  const auto rank = static_cast<std::size_t>(c.output().dim());
  Ints plain(rank);
  std::vector<std::size_t> open;
  for (std::size_t d = 0; d < rank; ++d) {
    const Ints sizes = over_passes(c, d);
    const auto same = same_as(c, "self", sizes);
    if (is_fixed(sizes)) {
      plain[d] = sizes[0];
    } else if (same && *same == static_cast<std::int64_t>(d)) {
      plain[d] = 0;
    } else {
      plain[d] = -1;
      open.push_back(d);
    }
  }
  if (open.size() <= 1) return c.constant(plain);
  std::vector<std::string> parts;
  for (std::size_t d = 0; d < rank; ++d) {
    const auto same =
        plain[d] == -1 && d != open.back() ? same_as(c, "self", over_passes(c, d)) : std::nullopt;
    if (plain[d] == -1 && d != open.back() && !same) throw Varies("a size of a reshaped tensor");
    parts.push_back(same ? size_of(c, "self", *same) : c.constant(Ints{plain[d]}));
  }
  return c.emit("Concat", parts, {{"axis", std::int64_t{0}}});
}

void reshape(FormContext& c) {
  bool changes = false;
  for (std::size_t pass = 0; pass < c.passes(); ++pass)
    changes = changes || c.output(pass).sizes().vec() != c.sizes("self", pass);
  c.result(changes ? c.emit("Reshape", {c.value("self"), target_shape(c)}) : c.value("self"));
}

void same(FormContext& c) {
  if (c.output().scalar_type() == at::kDouble || c.output().scalar_type() == at::kFloat)
    return c.result(c.value(c.given("self") ? "self" : "input"));
  fail(ExitCode::usage, "export: {} to {} has no form in ONNX here", c.name(),
       c10::toString(c.output().scalar_type()));
}

void dropout(FormContext& c) {
  if (c.flag("train")) fail(ExitCode::usage, "export: dropout in training has no form in ONNX here");
  c.result(c.value("input"));
}

// Made in the pass from nothing: a constant, if each pass makes the same.
void creation(FormContext& c) {
  for (std::size_t pass = 1; pass < c.passes(); ++pass)
    if (c.output(pass).sizes() != c.output().sizes()) throw Varies("the size of a new tensor");
  c.result(c.constant(c.output()));
}

void permute(FormContext& c) {
  Ints perm = c.integers("dims");
  for (auto& axis : perm) axis = axis < 0 ? axis + c.rank("self") : axis;
  c.result(c.emit("Transpose", {c.value("self")}, {{"perm", perm}}));
}

void transpose(FormContext& c) {
  Ints perm(static_cast<std::size_t>(c.rank("self")));
  for (std::size_t d = 0; d < perm.size(); ++d) perm[d] = static_cast<std::int64_t>(d);
  if (c.given("dim0"))
    std::swap(perm[static_cast<std::size_t>(c.axis("dim0", "self"))],
              perm[static_cast<std::size_t>(c.axis("dim1", "self"))]);
  else
    std::reverse(perm.begin(), perm.end());  // aten::t
  c.result(c.emit("Transpose", {c.value("self")}, {{"perm", perm}}));
}

void cat(FormContext& c) {
  const std::int64_t rank = c.output().dim(), dim = c.integer("dim");
  c.result(c.emit("Concat", c.values("tensors"), {{"axis", dim < 0 ? dim + rank : dim}}));
}

void split(FormContext& c) {
  const std::int64_t axis = c.axis("dim", "self");
  Ints parts;
  for (std::size_t i = 0; i < c.outputs(); ++i) {
    for (std::size_t pass = 0; pass < c.passes(); ++pass)
      if (c.output(pass, i).size(axis) != c.output(0, i).size(axis)) throw Varies("the size of a part");
    parts.push_back(c.output(0, i).size(axis));
  }
  const auto values =
      c.emit_many("Split", {c.value("self"), c.constant(parts)}, parts.size(), {{"axis", axis}});
  for (std::size_t i = 0; i < values.size(); ++i) c.result(values[i], i);
}

void slice(FormContext& c) {
  const std::int64_t axis = c.axis("dim", "self");
  const std::int64_t start = c.given("start") ? c.integer("start") : 0;
  // LibTorch's "to the end" may be the size itself, which must not become a fixed number.
  bool to_end = !c.given("end");
  if (!to_end) {
    to_end = true;
    for (std::size_t pass = 0; pass < c.passes(); ++pass) {
      const std::int64_t size = c.sizes("self", pass)[static_cast<std::size_t>(axis)];
      const std::int64_t kept =
          size - (start < 0 ? std::max<std::int64_t>(0, size + start) : std::min(start, size));
      const std::int64_t step = c.integer("step");
      to_end = to_end && c.output(pass).size(axis) == (kept + step - 1) / step;
    }
  }
  const std::int64_t end = to_end ? std::numeric_limits<std::int64_t>::max() : c.integer("end");
  c.result(c.emit("Slice", {c.value("self"), c.constant(Ints{start}), c.constant(Ints{end}),
                            c.constant(Ints{axis}), c.constant(Ints{c.integer("step")})}));
}

void select(FormContext& c) {
  const std::string index = c.constant(at::full({}, c.integer("index"), at::kLong));
  c.result(c.emit("Gather", {c.value("self"), index}, {{"axis", c.axis("dim", "self")}}));
}

void pad(FormContext& c) {
  const Ints pairs = c.integers("pad");  // of the last axis first
  if (!c.text("mode").empty() && c.text("mode") != "constant")
    fail(ExitCode::usage, "export: {} with mode '{}' has no form in ONNX here", c.name(), c.text("mode"));
  const auto rank = static_cast<std::size_t>(c.rank("self"));
  Ints pads(2 * rank);
  for (std::size_t i = 0; i < pairs.size() / 2; ++i) {
    pads[rank - 1 - i] = pairs[2 * i];
    pads[2 * rank - 1 - i] = pairs[2 * i + 1];
  }
  c.result(c.emit("Pad", {c.value("self"), c.constant(pads), c.scalar(c.number("value"))}));
}

// Broadcasting in ONNX asks for sizes that fit, so where the result has self's own the list says 1.
void expand(FormContext& c) {
  const std::int64_t added = c.output().dim() - c.rank("self");
  Ints shape;
  for (std::int64_t d = 0; d < c.output().dim(); ++d) {
    bool own = d >= added;
    for (std::size_t pass = 0; pass < c.passes() && own; ++pass)
      own = c.output(pass).size(d) == c.sizes("self", pass)[static_cast<std::size_t>(d - added)];
    const Ints sizes = over_passes(c, static_cast<std::size_t>(d));
    if (!own && !is_fixed(sizes)) throw Varies("the size that a tensor is expanded to");
    shape.push_back(own ? 1 : sizes[0]);
  }
  c.result(c.emit("Expand", {c.value("self"), c.constant(shape)}));
}

constexpr Form kForms[] = {{"aten::view", reshape},
                           {"aten::reshape", reshape},
                           {"aten::_unsafe_view", reshape},
                           {"aten::flatten", reshape},
                           {"aten::unflatten", reshape},
                           {"aten::unsqueeze", reshape},
                           {"aten::squeeze", reshape},
                           {"aten::contiguous", same},
                           {"aten::clone", same},
                           {"aten::to", same},
                           {"aten::_to_copy", same},
                           {"aten::detach", same},
                           {"aten::alias", same},
                           {"aten::dropout", dropout},
                           {"aten::zeros", creation},
                           {"aten::ones", creation},
                           {"aten::full", creation},
                           {"aten::arange", creation},
                           {"aten::scalar_tensor", creation},
                           {"aten::permute", permute},
                           {"aten::transpose", transpose},
                           {"aten::t", transpose},
                           {"aten::cat", cat},
                           {"aten::concat", cat},
                           {"aten::split", split},
                           {"aten::split_with_sizes", split},
                           {"aten::chunk", split},
                           {"aten::tensor_split", split},
                           {"aten::slice", slice},
                           {"aten::select", select},
                           {"aten::constant_pad_nd", pad},
                           {"aten::pad", pad},
                           {"aten::expand", expand}};

}  // namespace

std::span<const Form> shape_forms() {
  return kForms;
}

}  // namespace mgd
