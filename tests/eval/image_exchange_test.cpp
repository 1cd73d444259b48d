// For scripts/slow/architecture_parity.py: our answers to weights and pictures of others. MGD_IMAGE_EXCHANGE
// is the folder of the exchange; without it there is nothing to do.
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "mgd/core/file.h"
#include "mgd/io/weights.h"
#include "mgd/model/image_model.h"

namespace mgd {
namespace {

// A question DIR/NAME.safetensors: "input", and the weights as "weight/...". Its metadata has one entry
// "case", a JSON object: architecture, classes, channels, width, taps, training (then the gradients of the
// sum of the squared logits are asked for, too). The answer is DIR/NAME.answer.safetensors.
void answer(const fs::path& question) {
  std::map<std::string, std::string> metadata;
  TensorMap asked = load_tensors(question.string(), &metadata);
  const nlohmann::json given = nlohmann::json::parse(metadata.at("case"));
  TensorMap weights;
  for (const auto& [name, tensor] : asked)
    if (name.starts_with("weight/")) weights[name.substr(7)] = tensor;
  const auto model = make_model({.architecture = given["architecture"].get<std::string>(),
                                 .num_classes = given["classes"].get<std::int64_t>(),
                                 .in_channels = given["channels"].get<std::int64_t>(),
                                 .width = given["width"].get<double>()},
                                1);
  load_state(*model, weights, question.string());
  const bool training = given["training"].get<bool>();
  Forward forward(training);
  const auto taps = given["taps"].get<std::vector<std::string>>();
  for (const std::string& tap : taps) forward.capture(tap);
  TensorMap answers;
  {
    const at::AutoGradMode gradients(training);
    const at::Tensor logits = model->forward(asked.at("input"), forward);
    if (training) logits.square().sum().backward();
    answers["logits"] = logits.detach();
  }
  for (const std::string& tap : taps) answers["tap/" + tap] = forward.captured().at(tap).detach();
  if (training)
    for (const NamedTensor& entry : model->parameters()) answers["grad/" + entry.name] = entry.tensor.grad();
  if (training)
    for (const NamedTensor& entry : model->buffers()) answers["buffer/" + entry.name] = entry.tensor;
  const nlohmann::json counts{{"parameters", model->num_parameters()}, {"macs", forward.macs()}};
  fs::path file = question;
  write_file_atomic(file.replace_extension(".answer.safetensors"),
                    tensors_to_safetensors(answers, {{"counts", counts.dump()}}));
}

TEST(ImageExchange, AnswersOthers) {
  const char* exchange = std::getenv("MGD_IMAGE_EXCHANGE");
  if (exchange == nullptr) GTEST_SKIP() << "MGD_IMAGE_EXCHANGE is not set";
  std::vector<fs::path> questions;
  for (const auto& entry : fs::directory_iterator(exchange))
    if (!entry.path().string().ends_with(".answer.safetensors")) questions.push_back(entry.path());
  for (const fs::path& question : questions) answer(question);
}

}  // namespace
}  // namespace mgd
