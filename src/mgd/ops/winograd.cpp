#include "mgd/ops/winograd.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "mgd/kernels/masked_conv.h"
#include "mgd/kernels/winograd.h"

namespace mgd {

namespace {

// The kernels of masked_conv.h multiply nine matrices a call.
constexpr int kCalls = kWinogradPlanes / kConvTaps;

// Samples computed together: enough tiles to use a piece of the weights often.
constexpr std::int64_t kTilesTogether = 128;

class Plan {
 public:
  Plan(const at::Tensor& x)
      : map_{x.size(2), x.size(3), x.size(1)},
        samples_(std::clamp<std::int64_t>(kTilesTogether / map_.tiles(), 1, x.size(0))),
        groups_((x.size(0) + samples_ - 1) / samples_),
        batch_(x.size(0)),
        index_(static_cast<std::size_t>(kConvTaps * tiles(0))) {
    std::iota(index_.begin(), index_.end(), 0);
  }

  std::int64_t groups() const { return groups_; }
  std::int64_t first(std::int64_t group) const { return group * samples_; }
  std::int64_t count(std::int64_t group) const { return std::min(samples_, batch_ - first(group)); }
  std::int64_t tiles(std::int64_t group) const { return count(group) * map_.tiles(); }
  WinogradMap map(std::int64_t channels) const { return {map_.height, map_.width, channels}; }
  std::int64_t sample_size(std::int64_t channels) const { return map_.height * map_.width * channels; }
  const std::int32_t* index() const { return index_.data(); }  // each row meets itself

 private:
  WinogradMap map_;
  std::int64_t samples_, groups_, batch_;
  std::vector<std::int32_t> index_;
};

at::Tensor floats(std::int64_t count) {
  return at::empty({count}, at::kFloat);
}

std::vector<std::int64_t> equal_parts(std::int64_t rows) {
  std::vector<std::int64_t> begin(kConvTaps + 1);
  for (int t = 0; t <= kConvTaps; ++t) begin[static_cast<std::size_t>(t)] = t * rows;
  return begin;
}

// The maps of a group -> planes (36, tiles, channels).
using ToPlanes = void (*)(const float*, const WinogradMap&, const WinogradPlanes&);
void transform(ToPlanes to_planes, const Plan& plan, std::int64_t group, std::int64_t sample,
               const at::Tensor& x, float* planes) {
  const std::int64_t channels = x.size(1), tiles = plan.map(channels).tiles();
  to_planes(x.const_data_ptr<float>() + (plan.first(group) + sample) * plan.sample_size(channels),
            plan.map(channels), {planes + sample * tiles * channels, plan.tiles(group), channels});
}

// x convolved with the filters in planes (36, C, out).
at::Tensor convolve(const at::Tensor& x, const at::Tensor& filters, std::int64_t out) {
  const Plan plan(x);
  const std::int64_t in = x.size(1);
  at::Tensor y = at::empty({x.size(0), out, x.size(2), x.size(3)},
                           x.options().memory_format(at::MemoryFormat::ChannelsLast));
  float* to = y.mutable_data_ptr<float>();
  const float* u = filters.const_data_ptr<float>();
  const WinogradKernel kernel = winograd_kernel(chosen_isa());
  const auto product = masked_conv_kernel(chosen_isa()).product;
  at::parallel_for(0, plan.groups(), 1, [&](std::int64_t begin, std::int64_t end) {
    at::Tensor from_planes = floats(kWinogradPlanes * plan.tiles(begin) * in),
               to_planes = floats(kWinogradPlanes * plan.tiles(begin) * out);
    float *v = from_planes.mutable_data_ptr<float>(), *m = to_planes.mutable_data_ptr<float>();
    for (std::int64_t group = begin; group < end; ++group) {
      const std::int64_t tiles = plan.tiles(group), rows = kConvTaps * tiles;
      for (std::int64_t s = 0; s < plan.count(group); ++s) transform(kernel.input, plan, group, s, x, v);
      const auto parts = equal_parts(tiles);
      ConvWork work;
      for (int call = 0; call < kCalls; ++call)
        for (std::int64_t panel = 0; panel * kConvPanel < out; ++panel)
          product({.begin = parts.data(),
                   .from_row = plan.index(),
                   .to_row = plan.index(),
                   .from = {v + call * rows * in, in},
                   .to = {m + call * rows * out, out},
                   .depth = in,
                   .width = out,
                   .to_rows = rows,
                   .weight = {u + call * kConvTaps * in * out, in * out, out, 1, nullptr, nullptr}},
                  panel, work);
      for (std::int64_t s = 0; s < plan.count(group); ++s)
        kernel.output({m + s * plan.map(out).tiles() * out, tiles, out}, plan.map(out),
                      to + (plan.first(group) + s) * plan.sample_size(out));
    }
  });
  return y;
}

// Weights whose columns lie side by side -> planes (36, rows, columns), in parallel over rows.
at::Tensor filter_planes(const at::Tensor& weight, WinogradFilter f, std::int64_t columns) {
  at::Tensor planes = floats(kWinogradPlanes * f.rows * columns);
  const float* from = weight.const_data_ptr<float>();
  float* to = planes.mutable_data_ptr<float>();
  const auto filter = winograd_kernel(chosen_isa()).filter;
  at::parallel_for(0, f.rows, 16, [&](std::int64_t begin, std::int64_t end) {
    WinogradFilter part = f;
    part.rows = end - begin;
    filter(from + begin * f.row_stride, part, {to + begin * columns, f.rows, columns});
  });
  return planes;
}

}  // namespace

at::Tensor winograd_conv(const at::Tensor& x, const at::Tensor& weight) {
  const std::int64_t out = weight.size(0), in = weight.size(1);
  const at::Tensor inputs_first =
      weight.permute({0, 2, 3, 1}).reshape({out, -1}).t().contiguous();  // (9 C, N)
  return convolve(
      x, filter_planes(inputs_first, {.rows = in, .tap_stride = in * out, .row_stride = out}, out), out);
}

at::Tensor winograd_input_gradient(const at::Tensor& grad, const at::Tensor& weight) {
  const std::int64_t out = weight.size(0), in = weight.size(1);
  const WinogradFilter f{.rows = out, .tap_stride = in, .row_stride = kConvTaps * in, .flip = true};
  return convolve(grad, filter_planes(weight, f, in), in);
}

at::Tensor winograd_weight_gradient(const at::Tensor& x, const at::Tensor& grad) {
  const Plan plan(x);
  const std::int64_t in = x.size(1), out = grad.size(1), panels = (out + kConvPanel - 1) / kConvPanel;
  at::Tensor planes = at::zeros({kWinogradPlanes * in * out}, at::kFloat),
             result = at::empty({kConvTaps * in, out}, at::kFloat);
  const std::int64_t most = kWinogradPlanes * plan.tiles(0);
  at::Tensor of_x = floats(most * in), of_grad = floats(most * out),
             packed = floats(conv_panels_size(most, in));
  float *v = of_x.mutable_data_ptr<float>(), *g = of_grad.mutable_data_ptr<float>(),
        *pack = packed.mutable_data_ptr<float>(), *u = planes.mutable_data_ptr<float>();
  const WinogradKernel kernel = winograd_kernel(chosen_isa());
  const auto multiply = masked_conv_kernel(chosen_isa()).weight_gradient;
  for (std::int64_t group = 0; group < plan.groups(); ++group) {
    const std::int64_t tiles = plan.tiles(group), rows = kConvTaps * tiles;
    const auto parts = equal_parts(tiles);
    at::parallel_for(0, plan.count(group), 1, [&](std::int64_t begin, std::int64_t end) {
      for (; begin < end; ++begin) {
        transform(kernel.input, plan, group, begin, x, v);
        transform(kernel.grad_output, plan, group, begin, grad, g);
      }
    });
    at::parallel_for(0, kCalls, 1, [&](std::int64_t begin, std::int64_t end) {
      for (; begin < end; ++begin)
        pack_conv_panels(v + begin * rows * in, rows, in, pack + begin * conv_panels_size(rows, in));
    });
    at::parallel_for(0, kWinogradPlanes * panels, 1, [&](std::int64_t begin, std::int64_t end) {
      ConvWork work;
      for (; begin < end; ++begin) {
        const std::int64_t plane = begin / panels, call = plane / kConvTaps;
        multiply({.pairs = {plan.index(), plan.index(), parts.data()},
                  .panels = pack + call * conv_panels_size(rows, in),
                  .rows = rows,
                  .depth = in,
                  .grad_output = {g + call * rows * out, out},
                  .width = out,
                  .grad = {u + call * kConvTaps * in * out, out},
                  .channels_in = in},
                 static_cast<int>(plane % kConvTaps), begin % panels, work);
      }
    });
  }
  float* to = result.mutable_data_ptr<float>();
  at::parallel_for(0, in, 16, [&](std::int64_t begin, std::int64_t end) {
    kernel.grad_filter({u + begin * out, in, out},
                       {.rows = end - begin, .tap_stride = in * out, .row_stride = out}, to + begin * out);
  });
  return result.t().contiguous().view({out, 3, 3, in}).permute({0, 3, 1, 2});
}

}  // namespace mgd
