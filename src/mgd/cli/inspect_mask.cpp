#include "mgd/cli/inspect_mask.h"

#include <ATen/ops/sum.h>
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "mgd/core/file.h"
#include "mgd/ops/described_mask.h"

namespace mgd {

namespace {

constexpr std::int64_t kWidest = 40;  // keys of a drawing in 80 columns

nlohmann::ordered_json rows_of(const at::Tensor& keep) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (std::int64_t i = 0; i < keep.size(0); ++i) {
    nlohmann::ordered_json row = nlohmann::ordered_json::array();
    for (std::int64_t j = 0; j < keep.size(1); ++j) row.push_back(keep[i][j].item<bool>() ? 1 : 0);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

void inspect_mask(const std::string& words, const std::string& picture, bool as_json) {
  const DescribedMask described = described_mask(words);
  const at::Tensor keep =
      keep_matrix(described.mask, described.batch, described.queries, described.keys);  // (B, T, S)
  const auto seen = keep.sum().item<std::int64_t>(), all = keep.numel();
  if (!picture.empty()) write_file_atomic(picture, encode_png(picture_of_keep(keep, 12)));
  if (as_json) {
    nlohmann::ordered_json object{
        {"mask", words}, {"queries", described.queries}, {"keys", described.keys}, {"seen", seen}};
    object["keep"] = nlohmann::ordered_json::array();
    for (std::int64_t b = 0; b < described.batch; ++b) object["keep"].push_back(rows_of(keep[b]));
    fmt::print("{}\n", object.dump());
    return;
  }
  fmt::print("{} queries (rows) x {} keys (columns), 1 = seen: {} of {} places, {:.1f} %\n",
             described.queries, described.keys, seen, all,
             100.0 * static_cast<double>(seen) / static_cast<double>(all));
  for (std::int64_t b = 0; b < described.batch; ++b) {
    if (described.batch > 1) fmt::print("\nsequence {}\n", b);
    if (described.keys <= kWidest) fmt::print("{}{}", described.batch > 1 ? "" : "\n", draw_keep(keep[b]));
  }
  if (described.keys > kWidest)
    fmt::print("more than {} keys do not fit a terminal{}\n", kWidest,
               picture.empty() ? "; --picture mask.png draws them" : "");
}

}  // namespace mgd
