#include "mgd/ops/winograd.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fmt/core.h>

#include <algorithm>

#include "mgd/kernels/masked_conv.h"
#include "mgd/kernels/winograd.h"
#include "mgd/ops/argument.h"

namespace mgd {

namespace {

WinogradMap map_of(const at::Tensor& x) {
  return {x.size(2), x.size(3), x.size(1)};
}

// The tiles of a batch in groups. Small filters stay in the second-level cache, beside a group's planes;
// large ones come from farther away in any case, and should then serve many tiles.
class Groups {
 public:
  Groups(const at::Tensor& x, std::int64_t in, std::int64_t out) : tiles_(x.size(0) * map_of(x).tiles()) {
    constexpr std::int64_t kPlanesBytes = 384 << 10, kFewest = 24, kMost = 120;
    const auto bytes_of = [](std::int64_t floats) {
      return kWinogradPlanes * floats * static_cast<std::int64_t>(sizeof(float));
    };
    const bool small = bytes_of(in * out) <= kPlanesBytes;
    const std::int64_t fitting = kPlanesBytes / bytes_of(in + out);
    // A multiple of 24 fills the registers of every product.
    each_ = small ? std::clamp(fitting / kFewest * kFewest, kFewest, kMost) : kMost;
  }
  std::int64_t count() const { return (tiles_ + each_ - 1) / each_; }
  std::int64_t most() const { return std::min(each_, tiles_); }  // tiles in a group
  WinogradTiles operator[](std::int64_t group) const {
    return {group * each_, std::min(each_, tiles_ - group * each_)};
  }

 private:
  std::int64_t tiles_, each_ = 0;
};

at::Tensor planes(std::int64_t rows, std::int64_t channels) {
  return at::empty({kWinogradPlanes * winograd_plane(rows, channels)}, at::kFloat);
}

// In parallel over the rows of the weights.
at::Tensor filter_planes(const at::Tensor& weight, const WinogradFilter& f) {
  at::Tensor result = planes(f.rows, f.columns);
  const float* from = weight.const_data_ptr<float>();
  float* to = result.mutable_data_ptr<float>();
  const auto filter = winograd_kernel(chosen_isa()).filter;
  at::parallel_for(0, f.rows, 16, [&](std::int64_t begin, std::int64_t end) {
    WinogradFilter part = f;
    part.rows = end - begin;
    filter(from + begin * f.row_stride, part, begin, f.rows, to);
  });
  return result;
}

// What kernels read through raw pointers.
void check_map(const at::Tensor& map, const char* what) {
  const bool fits = is_real(map, 4) && map.is_cpu() && map.scalar_type() == at::kFloat &&
                    map.is_contiguous(at::MemoryFormat::ChannelsLast);
  if (!fits) refuse("winograd", what, map, "float (B, C, Y, X), channels last, on the CPU");
}

void check_weight(const at::Tensor& weight) {
  const bool fits = is_real(weight, 4) && weight.is_cpu() && weight.scalar_type() == at::kFloat &&
                    weight.size(2) == 3 && weight.size(3) == 3;
  if (!fits) refuse("winograd", "weight", weight, "float (N, C, 3, 3) on the CPU");
}

}  // namespace

at::Tensor winograd_filter(const at::Tensor& weight) {
  check_weight(weight);
  const std::int64_t out = weight.size(0), in = weight.size(1);
  const at::Tensor inputs_first =
      weight.permute({0, 2, 3, 1}).reshape({out, -1}).t().contiguous();  // (9 C, N)
  return filter_planes(inputs_first, {.rows = in, .columns = out, .tap_stride = in * out, .row_stride = out});
}

at::Tensor winograd_conv_with(const at::Tensor& x, const at::Tensor& filter, std::int64_t out) {
  check_map(x, "x");
  if (filter.numel() != kWinogradPlanes * winograd_plane(x.size(1), out))
    refuse("winograd", "filter", filter, "what winograd_filter made of a weight with as many channels");
  const std::int64_t in = x.size(1);
  const Groups groups(x, in, out);
  at::Tensor y = at::empty({x.size(0), out, x.size(2), x.size(3)},
                           x.options().memory_format(at::MemoryFormat::ChannelsLast));
  const float *from = x.const_data_ptr<float>(), *u = filter.const_data_ptr<float>();
  float* to = y.mutable_data_ptr<float>();
  const WinogradKernel kernel = winograd_kernel(chosen_isa());
  at::parallel_for(0, groups.count(), 1, [&](std::int64_t begin, std::int64_t end) {
    at::Tensor from_planes = planes(groups.most(), in), to_planes = planes(groups.most(), out);
    float *v = from_planes.mutable_data_ptr<float>(), *m = to_planes.mutable_data_ptr<float>();
    for (; begin < end; ++begin) {
      const WinogradTiles tiles = groups[begin];
      kernel.input(from, map_of(x), tiles, v);
      kernel.multiply(v, u, tiles.count, in, out, m);
      kernel.output(m, map_of(y), tiles, to);
    }
  });
  return y;
}

at::Tensor winograd_conv(const at::Tensor& x, const at::Tensor& weight) {
  check_weight(weight);
  if (x.dim() == 4 && x.size(1) != weight.size(1))
    refuse("winograd", "x", x, fmt::format("(B, {}, Y, X)", weight.size(1)));
  return winograd_conv_with(x, winograd_filter(weight), weight.size(0));
}

at::Tensor winograd_input_gradient(const at::Tensor& grad, const at::Tensor& weight) {
  check_weight(weight);
  if (!weight.is_contiguous(at::MemoryFormat::ChannelsLast))
    refuse("winograd", "weight", weight, "channels last");
  if (grad.dim() == 4 && grad.size(1) != weight.size(0))
    refuse("winograd", "gradient", grad, fmt::format("(B, {}, Y, X)", weight.size(0)));
  const std::int64_t out = weight.size(0), in = weight.size(1);
  const WinogradFilter f{
      .rows = out, .columns = in, .tap_stride = in, .row_stride = kConvTaps * in, .flip = true};
  return winograd_conv_with(grad, filter_planes(weight, f), in);
}

at::Tensor winograd_weight_gradient(const at::Tensor& x, const at::Tensor& grad) {
  check_map(x, "x");
  check_map(grad, "gradient");
  const std::int64_t in = x.size(1), out = grad.size(1);
  const Groups groups(x, in, out);
  at::Tensor sums = at::zeros({kWinogradPlanes * winograd_plane(in, out)}, at::kFloat),
             result = at::empty({kConvTaps * in, out}, at::kFloat);
  at::Tensor of_x = planes(groups.most(), in), of_grad = planes(groups.most(), out);
  const float *map = x.const_data_ptr<float>(), *errors = grad.const_data_ptr<float>();
  float *v = of_x.mutable_data_ptr<float>(), *g = of_grad.mutable_data_ptr<float>(),
        *u = sums.mutable_data_ptr<float>();
  const WinogradKernel kernel = winograd_kernel(chosen_isa());
  for (std::int64_t group = 0; group < groups.count(); ++group) {
    const WinogradTiles tiles = groups[group];
    at::parallel_for(0, 2, 1, [&](std::int64_t begin, std::int64_t end) {
      if (begin == 0) kernel.input(map, map_of(x), tiles, v);
      if (end == 2) kernel.grad_output(errors, map_of(grad), tiles, g);
    });
    at::parallel_for(0, kWinogradPlanes, 1, [&](std::int64_t begin, std::int64_t end) {
      for (; begin < end; ++begin)
        kernel.multiply_transposed(v + begin * winograd_plane(tiles.count, in),
                                   g + begin * winograd_plane(tiles.count, out), tiles.count, in, out,
                                   u + begin * winograd_plane(in, out));
    });
  }
  float* to = result.mutable_data_ptr<float>();
  at::parallel_for(0, in, 16, [&](std::int64_t begin, std::int64_t end) {
    kernel.grad_filter(u, {.rows = end - begin, .columns = out, .tap_stride = in * out, .row_stride = out},
                       begin, in, to + begin * out);
  });
  return result.t().contiguous().view({out, 3, 3, in}).permute({0, 3, 1, 2});
}

}  // namespace mgd
