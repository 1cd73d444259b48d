#include "mgd/format/float_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "mgd/core/philox.h"

namespace mgd {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<float> through(FloatCode code, const std::vector<float>& values) {
  std::vector<std::byte> bytes(coded_bytes(code, values.size()));
  encode_floats(code, values.data(), values.size(), bytes.data());
  std::vector<float> back(values.size());
  decode_floats(code, bytes.data(), values.size(), back.data());
  return back;
}

std::vector<float> through_top_k(const std::vector<float>& logits, std::size_t k) {
  std::vector<std::byte> bytes(top_k_bytes(k));
  encode_top_k(logits.data(), logits.size(), k, bytes.data());
  std::vector<float> back(logits.size());
  decode_top_k(bytes.data(), logits.size(), k, back.data());
  return back;
}

std::vector<float> random_values(std::size_t count, double scale) {
  RandomStream random(random_key(1, "values"), 0, 0);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(scale * (2 * random.uniform() - 1));
  return values;
}

std::vector<double> softmax(const std::vector<float>& logits, double temperature) {
  double sum = 0;
  for (const float z : logits) sum += std::exp(z / temperature);
  std::vector<double> p;
  for (const float z : logits) p.push_back(std::exp(z / temperature) / sum);
  return p;
}

TEST(FloatCodec, SizesAreKnownBeforehand) {
  EXPECT_EQ(coded_bytes(FloatCode::fp32, 100), 400);
  EXPECT_EQ(coded_bytes(FloatCode::bf16, 100), 200);
  EXPECT_EQ(coded_bytes(FloatCode::int8, 100), 108) << "two scales";
  EXPECT_EQ(coded_bytes(FloatCode::int8, 0), 0);
  EXPECT_EQ(top_k_bytes(5), 44);
  EXPECT_EQ(float_code_of("int8"), FloatCode::int8);
}

TEST(FloatCodec, Fp32KeepsEveryBit) {
  const std::vector<float> values{0.1F, -0.0F, 1e-42F, kInfinity, kNaN};
  const auto back = through(FloatCode::fp32, values);
  EXPECT_EQ(std::memcmp(back.data(), values.data(), values.size() * sizeof(float)), 0);
}

TEST(FloatCodec, Bf16RoundsToNearestEven) {
  // 1 + 2^-8 lies between 1 and 1 + 2^-7: to the even one, which is 1; 1 + 3 2^-8 to 1 + 2^-6.
  const auto back =
      through(FloatCode::bf16, {1.0F, 1.00390625F, 1.01171875F, 1.004F, -0.0F, kInfinity, 3.4e38F});
  EXPECT_EQ(back, (std::vector<float>{1.0F, 1.0F, 1.015625F, 1.0078125F, -0.0F, kInfinity, kInfinity}));
  EXPECT_TRUE(std::isnan(through(FloatCode::bf16, {kNaN})[0]));
  for (const float value : random_values(1000, 100))
    EXPECT_NEAR(through(FloatCode::bf16, {value})[0], value, std::abs(value) / 256);
}

TEST(FloatCodec, Int8IsWithin1Of254OfTheLargestInItsBlock) {
  std::vector<float> values = random_values(200, 1);
  for (std::size_t i = 64; i < 128; ++i) values[i] *= 1000;  // one block of large ones spoils no other
  const auto back = through(FloatCode::int8, values);
  for (std::size_t block = 0; block < values.size(); block += 64) {
    const std::size_t end = std::min(block + 64, values.size());
    float largest = 0;
    for (std::size_t i = block; i < end; ++i) largest = std::max(largest, std::abs(values[i]));
    for (std::size_t i = block; i < end; ++i) {
      EXPECT_LE(std::abs(back[i] - values[i]), largest / 254 * 1.00001F) << i;
      if (std::abs(values[i]) == largest) {
        EXPECT_FLOAT_EQ(back[i], values[i]);
      }
    }
  }
}

TEST(FloatCodec, Int8OfStrangeBlocks) {
  EXPECT_EQ(through(FloatCode::int8, {0, 0, 0}), (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(through(FloatCode::int8, {1e-45F, 0}), (std::vector<float>{0, 0})) << "the scale underflows";
  EXPECT_TRUE(through(FloatCode::int8, {}).empty());
  for (const float broken : {kNaN, kInfinity, -kInfinity})
    for (const float value : through(FloatCode::int8, {1, broken, 2})) EXPECT_TRUE(std::isnan(value));
}

// At temperature 1 the k have their true probabilities, and what is left is spread evenly.
TEST(FloatCodec, TopKKeepsTheProbabilities) {
  const std::vector<float> logits = random_values(50, 6);
  const auto back = through_top_k(logits, 7);
  const auto p = softmax(logits, 1), q = softmax(back, 1);
  double rest = 0;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < 50; ++i) {
    kept += back[i] == logits[i] ? 1 : 0;
    rest += back[i] == logits[i] ? 0 : p[i];
  }
  EXPECT_EQ(kept, 7);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_NEAR(q[i], back[i] == logits[i] ? p[i] : rest / 43, 1e-6) << i;
}

TEST(FloatCodec, TopKByHand) {
  // exp: 8, 1, 3, 4 -> the two largest stay; 1 and 3 become 2 each.
  const auto back = through_top_k({std::log(8.0F), 0, std::log(3.0F), std::log(4.0F)}, 2);
  EXPECT_EQ(back[0], std::log(8.0F));
  EXPECT_NEAR(back[1], std::log(2.0F), 1e-6);
  EXPECT_EQ(back[2], back[1]);
  EXPECT_EQ(back[3], std::log(4.0F));
}

// The bound that the header gives for temperatures above 1.
TEST(FloatCodec, TopKAtATemperature) {
  const std::vector<float> logits = random_values(20, 6);
  const auto back = through_top_k(logits, 4);
  for (const double t : {1.0, 2.0, 4.0, 20.0}) {
    double truth = 0, ours = 0;
    for (std::size_t i = 0; i < 20; ++i) {
      if (back[i] == logits[i]) continue;
      truth += std::exp(logits[i] / t);
      ours += std::exp(back[i] / t);
    }
    EXPECT_GE(ours, truth * (1 - 1e-6)) << t;
    EXPECT_LE(ours, truth * std::pow(16, 1 - 1 / t) * (1 + 1e-6)) << t;
  }
}

TEST(FloatCodec, TopKOfStrangeRows) {
  EXPECT_EQ(through_top_k({1, 1, 1, 1}, 2), (std::vector<float>{1, 1, 1, 1})) << "equal ones";
  const auto lonely = through_top_k({-kInfinity, 3, -kInfinity}, 1);
  EXPECT_EQ(lonely, (std::vector<float>{-kInfinity, 3, -kInfinity})) << "no mass is left";
  const auto broken = through_top_k({0, 1, kNaN, 2}, 2);
  EXPECT_TRUE(std::isnan(broken[2])) << "a broken teacher must be seen";
  EXPECT_EQ(through_top_k({1e30F, 0, -1e30F}, 1)[0], 1e30F);
}

}  // namespace
}  // namespace mgd
