#include "mgd/format/onnx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <protozero/pbf_reader.hpp>

#include "expect_error.h"

namespace mgd {
namespace {

using protozero::pbf_reader;

std::string bytes_of(const OnnxModel& model) {
  std::string bytes;
  write_onnx(model, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

// The messages and strings of one field, in order.
std::vector<std::string> all_of(const std::string& message, protozero::pbf_tag_type field) {
  std::vector<std::string> found;
  for (pbf_reader reader(message); reader.next();) {
    if (reader.tag() == field)
      found.push_back(static_cast<std::string>(reader.get_bytes()));
    else
      reader.skip();
  }
  return found;
}

std::int64_t number_of(const std::string& message, protozero::pbf_tag_type field) {
  for (pbf_reader reader(message); reader.next(field);) return reader.get_int64();
  return -1;
}

std::vector<std::int64_t> packed_of(const std::string& message, protozero::pbf_tag_type field) {
  std::vector<std::int64_t> values;
  for (pbf_reader reader(message); reader.next(field);)
    for (const std::int64_t value : reader.get_packed_int64()) values.push_back(value);
  return values;
}

OnnxModel one_conv(std::string_view weight) {
  OnnxModel model;
  model.producer_version = "0.1.0";
  model.graph_name = "toy";
  model.inputs = {{.name = "input", .dims = {std::string("batch"), std::int64_t{1}, std::int64_t{4}}}};
  model.outputs = {{.name = "y", .dims = {std::string("batch"), std::int64_t{2}}}};
  model.nodes = {{.op = "Conv",
                  .name = "conv1",
                  .inputs = {"input", "conv1.weight", ""},
                  .outputs = {"y"},
                  .attributes = {{"group", std::int64_t{-1}},
                                 {"pads", std::vector<std::int64_t>{0, 300}},
                                 {"alpha", 0.5F},
                                 {"scales", std::vector<float>{1, 2}},
                                 {"auto_pad", std::string("NOTSET")}}}};
  model.initializers = {{.name = "conv1.weight", .dims = {2, 1}, .bytes = weight},
                        {.name = "none", .type = OnnxType::int64, .dims = {0}, .bytes = {}}};
  model.metadata = {{"labels", "[\"a\"]"}};
  return model;
}

TEST(Onnx, ModelAndGraphReadBack) {
  const std::vector<float> weight{1.5F, -2};
  const std::string_view raw(reinterpret_cast<const char*>(weight.data()), 8);
  const std::string model = bytes_of(one_conv(raw));
  EXPECT_EQ(number_of(model, 1), kOnnxIrVersion);
  EXPECT_EQ(all_of(model, 2), std::vector<std::string>{"mgd"});
  EXPECT_EQ(number_of(all_of(model, 8).at(0), 2), kOnnxOpset);
  const std::string entry = all_of(model, 14).at(0);
  EXPECT_EQ(all_of(entry, 1).at(0) + "=" + all_of(entry, 2).at(0), "labels=[\"a\"]");
  const std::string graph = all_of(model, 7).at(0);
  EXPECT_EQ(all_of(graph, 2), std::vector<std::string>{"toy"});
  const auto tensors = all_of(graph, 5);
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(packed_of(tensors[0], 1), (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(number_of(tensors[0], 2), 1);
  EXPECT_EQ(all_of(tensors[0], 8).at(0), "conv1.weight");
  EXPECT_EQ(all_of(tensors[0], 9).at(0), raw);
  EXPECT_EQ(packed_of(tensors[1], 1), std::vector<std::int64_t>{0});
  EXPECT_EQ(all_of(tensors[1], 9).at(0), "");
}

TEST(Onnx, NodesKeepTheirInputsOutputsAndAttributes) {
  const std::string raw(8, '\0');
  const std::string node = all_of(all_of(bytes_of(one_conv(raw)), 7).at(0), 1).at(0);
  EXPECT_EQ(all_of(node, 1), (std::vector<std::string>{"input", "conv1.weight", ""}));
  EXPECT_EQ(all_of(node, 2), std::vector<std::string>{"y"});
  EXPECT_EQ(all_of(node, 4), std::vector<std::string>{"Conv"});
  const auto attributes = all_of(node, 5);  // sorted by name: alpha, auto_pad, group, pads, scales
  ASSERT_EQ(attributes.size(), 5U);
  EXPECT_EQ(number_of(attributes[0], 20), 1);
  EXPECT_EQ(number_of(attributes[1], 20), 3);
  EXPECT_EQ(all_of(attributes[1], 4).at(0), "NOTSET");
  EXPECT_EQ(number_of(attributes[2], 3), -1);
  EXPECT_EQ(packed_of(attributes[3], 8), (std::vector<std::int64_t>{0, 300}));
  EXPECT_EQ(number_of(attributes[4], 20), 6);
}

TEST(Onnx, ValuesHaveFreeAndFixedDimensions) {
  const std::string raw(8, '\0');
  const std::string input = all_of(all_of(bytes_of(one_conv(raw)), 7).at(0), 11).at(0);
  EXPECT_EQ(all_of(input, 1).at(0), "input");
  const std::string tensor = all_of(all_of(input, 2).at(0), 1).at(0);
  EXPECT_EQ(number_of(tensor, 1), 1);
  const auto dims = all_of(all_of(tensor, 2).at(0), 1);
  ASSERT_EQ(dims.size(), 3U);
  EXPECT_EQ(all_of(dims[0], 2).at(0), "batch");
  EXPECT_EQ(number_of(dims[2], 1), 4);
}

TEST(Onnx, MoreThanTwoGibibytesAreRefusedBeforeTheFirstByte) {
  const std::string_view huge(nullptr, std::size_t{1} << 31);  // never read
  OnnxModel model = one_conv(huge);
  model.initializers[0].dims = {std::int64_t{1} << 29};
  std::size_t written = 0;
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] { write_onnx(model, [&](std::string_view piece) { written += piece.size(); }); }),
              testing::HasSubstr("2 GiB"));
  EXPECT_EQ(written, 0U);
}

}  // namespace
}  // namespace mgd
