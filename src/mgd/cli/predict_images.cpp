#include <ATen/ops/softmax.h>
#include <ATen/ops/topk.h>
#include <fmt/core.h>

#include <climits>
#include <iostream>
#include <nlohmann/json.hpp>

#include "mgd/cli/model_input.h"
#include "mgd/cli/open_named_model.h"
#include "mgd/cli/predict.h"
#include "mgd/cli/row_of.h"
#include "mgd/core/error.h"
#include "mgd/data/source_lines.h"
#include "mgd/nn/finite_rows.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

void print_prediction(const std::string& input, const at::Tensor& logits, const ModelFolderInfo& info,
                      const PredictFlags& flags) {
  const auto [scores, classes] = logits.softmax(0).topk(std::min<std::int64_t>(flags.top, logits.size(0)));
  json predictions = json::array();
  std::string line = printable(input) + ":";
  for (std::int64_t k = 0; k < scores.size(0); ++k) {
    const auto c = static_cast<std::size_t>(classes[k].item<std::int64_t>());
    const std::string label = c < info.label_names.size() ? info.label_names[c] : std::to_string(c);
    predictions.push_back({{"label", label}, {"score", scores[k].item<double>()}});
    line += fmt::format("  {} {:.1f} %", printable(label), 100 * scores[k].item<double>());
  }
  json object{{"input", input}, {"predictions", predictions}};
  if (flags.logits) object["logits"] = row_of(logits);
  fmt::print("{}\n", flags.json ? object.dump(-1, ' ', false, json::error_handler_t::replace) : line);
}

// The pictures that decode; the others are named on stderr. A training replaces them, a prediction must not.
std::vector<std::string> readable(const ImageSource& source) {
  std::vector<std::string> good;
  for (std::int64_t i = 0; i < source.size(); ++i) {
    try {
      source.image(i);
      good.push_back(source.name(i));
    } catch (const Error& error) {
      fmt::print(stderr, "mgd: {}\n", error.what());
    }
  }
  return good;
}

// Paths of standard input, one a line, where `-` stands.
std::vector<std::string> with_stdin(const std::vector<std::string>& inputs) {
  std::vector<std::string> paths;
  for (const auto& input : inputs) {
    if (input != "-") {
      paths.push_back(input);
      continue;
    }
    const std::size_t before = paths.size();
    for (std::string line; std::getline(std::cin, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (line.find('\0') != std::string::npos || line.size() >= PATH_MAX)
        fail(ExitCode::bad_data, "-: line {} is no path: '{}'; give one path a line, not a picture",
             paths.size() - before + 1, printable(line));
      if (!line.empty()) paths.push_back(line);
    }
    if (paths.size() == before) fail(ExitCode::missing_input, "-: no path on standard input");
  }
  return paths;
}

}  // namespace

int predict_images(const std::vector<std::string>& args, const PredictFlags& flags) {
  OpenedModel opened = open_named_model(args[0], flags.model, /*allow_fresh=*/false, flags.classes);
  for (const std::string& note : opened.notes) fmt::print(stderr, "{}: {}\n", args[0], note);
  const std::int64_t channels = opened.info.in_channels;
  const auto all =
      open_loose_images(with_stdin({args.begin() + 1, args.end()}), channels, flags.max_megapixels);
  if (const auto unused = all->unused_files(); !unused.empty())
    fmt::print(stderr, "mgd: not used: {}\n", unused_text(unused));
  const std::vector<std::string> good = readable(*all);
  const std::int64_t given = all->size();
  if (good.empty()) fail(ExitCode::bad_data, "predict: none of the {} pictures can be read", given);
  const auto source = open_loose_images(good, channels, flags.max_megapixels);
  const ModelInput input = settle_input(args[0], flags.image_size, survey_pictures(*source), opened,
                                        /*habit_only=*/true);
  for (const std::string& line : input.lines) fmt::print(stderr, "{}\n", line);
  EvalOptions options = eval_options_of(opened, input);
  options.batch_size = flags.batch_size;
  options.precision = flags.precision;
  const at::Tensor logits = answer_all(*opened.model, *source, options).logits;
  require_finite_rows(logits, args[0], [&](std::int64_t i) { return printable(source->name(i)); });
  for (std::int64_t i = 0; i < source->size(); ++i)
    print_prediction(source->name(i), logits[i], opened.info, flags);
  return static_cast<int>(static_cast<std::int64_t>(good.size()) == given ? ExitCode::ok
                                                                          : ExitCode::bad_data);
}

}  // namespace mgd
