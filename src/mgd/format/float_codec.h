// Floats in fewer bytes, as files keep them. Encoding is a function of the values alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mgd {

// fp32 keeps every bit. bf16 rounds to nearest even: 8 bits of precision. int8 has a scale for each 64 values
// in a row, their largest magnitude / 127, so an error is at most 1/254 of that; a block with NaN or infinity
// comes back as NaN.
enum class FloatCode { fp32, bf16, int8 };

FloatCode float_code_of(std::string_view name);  // the name in the enumeration

std::size_t coded_bytes(FloatCode code, std::size_t count);
void encode_floats(FloatCode code, const float* values, std::size_t count, std::byte* out);
void decode_floats(FloatCode code, const std::byte* in, std::size_t count, float* values);

// The `k` largest of `count` logits (1 <= k < count; equal ones in the order of their index), each with its
// index, and what the others come to: they are given back as one and the same logit, so chosen that
//
//   (count - k) exp(rest) = sum over the others of exp(logit).
//
// The softmax then has the true probability for each of the k, and the true remainder, spread evenly. At a
// temperature T above 1 the k keep their true ratios, and the remainder is too large by at most the factor
// (count - k)^(1 - 1/T), that of a single other logit with all the mass.
std::size_t top_k_bytes(std::size_t k);
void encode_top_k(const float* logits, std::size_t count, std::size_t k, std::byte* out);
void decode_top_k(const std::byte* in, std::size_t count, std::size_t k, float* logits);

}  // namespace mgd
