#include "report/sample.h"

#include <fmt/core.h>

#include <cmath>

#include "mgd/core/philox.h"

namespace mgd {
namespace {

const std::vector<std::string> kNames = {"airplane", "automobile", "bird",  "cat",  "deer",
                                         "dog",      "frog",       "horse", "ship", "truck"};

Image picture(std::uint64_t sample, std::int64_t side) {
  RandomStream random(random_key(3, "picture"), 0, sample);
  const double cx = random.uniform(0.3, 0.7), cy = random.uniform(0.3, 0.7), hue = random.uniform();
  Image image{.height = side, .width = side, .channels = 3, .pixels = {}};
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) {
      const double dx = static_cast<double>(x) / static_cast<double>(side) - cx;
      const double dy = static_cast<double>(y) / static_cast<double>(side) - cy;
      const double blob = std::exp(-12 * (dx * dx + dy * dy));
      for (double shift : {0.0, 0.33, 0.67}) {
        const double tint = 0.5 + 0.5 * std::cos(6.28 * (hue + shift));
        image.pixels.push_back(static_cast<std::uint8_t>(40 + 190 * (0.25 * (1 - tint) + blob * tint * 0.75) +
                                                         random.uniform(0, 14)));
      }
    }
  }
  return image;
}

ReportMap map_of(const std::string& title, std::uint64_t sample, double noise, double scale) {
  RandomStream random(random_key(5, title), 0, sample);
  RandomStream same(random_key(5, "centre"), 0, sample);
  const double cx = same.uniform(2, 6), cy = same.uniform(2, 6);
  ReportMap map{.title = title, .height = 8, .width = 8, .values = {}};
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      const double d = (x - cx) * (x - cx) + (y - cy) * (y - cy);
      map.values.push_back(static_cast<float>(scale * std::exp(-d / 6) + noise * random.normal()));
    }
  }
  return map;
}

ReportIllustration illustration(std::uint64_t sample) {
  ReportIllustration out{
      .tap = "layer3 \u2192 layer3",
      .caption = fmt::format("test/{}: the generation block restores what the mask hides.", sample),
      .image = picture(sample, 32),
      .maps = {map_of("student", sample, 0.15, 0.7)}};
  ReportMap mask{.title = "mask", .height = 8, .width = 8, .values = {}};
  RandomStream random(random_key(7, "mask"), 0, sample);
  for (int i = 0; i < 64; ++i) mask.values.push_back(random.uniform() < 0.5 ? 0.0F : 1.0F);
  out.maps.push_back(mask);
  out.maps.push_back(map_of("regenerated", sample, 0.06, 1.5));
  out.maps.push_back(map_of("teacher", sample, 0.02, 1.7));
  return out;
}

ReportCurve falling(const std::string& name, double from, double to, double noise, int points) {
  RandomStream random(random_key(11, name), 0, 0);
  ReportCurve curve{.name = name, .points = {}};
  for (int i = 1; i <= points; ++i) {
    const double t = static_cast<double>(i) / points;
    const double value = to + (from - to) * std::exp(-5 * t);
    curve.points.emplace_back(11700 * t, value * std::exp(noise * random.normal()));
  }
  return curve;
}

std::vector<ReportCurve> curves() {
  std::vector<ReportCurve> all = {
      falling("loss", 4.1, 0.62, 0.12, 600), falling("loss/cross_entropy", 2.3, 0.28, 0.2, 600),
      falling("loss/kd", 6.2, 0.7, 0.15, 600), falling("loss/mgd", 900, 21, 0.08, 600)};
  ReportCurve accuracy{.name = "eval/accuracy", .points = {}}, rate{.name = "lr", .points = {}};
  for (int epoch = 1; epoch <= 30; ++epoch) {
    accuracy.points.emplace_back(390 * epoch,
                                 0.876 - 0.5 * std::exp(-epoch / 6.0) + 0.004 * std::sin(epoch * 2.0));
  }
  for (int i = 0; i <= 300; ++i) rate.points.emplace_back(39 * i, 0.05 * (1 + std::cos(3.14159 * i / 300)));
  all.push_back(falling("eval/loss", 2.1, 0.41, 0.03, 30));
  all.push_back(accuracy);
  all.push_back(rate);
  all.push_back(falling("throughput", 1500, 1480, 0.02, 600));
  ReportCurve broken = falling("grad_norm", 8, 1.2, 0.2, 40);
  broken.points[17].second = std::nan("");
  all.push_back(broken);
  return all;
}

std::vector<std::vector<std::int64_t>> confusion() {
  std::vector<std::vector<std::int64_t>> matrix(10, std::vector<std::int64_t>(10));
  RandomStream random(random_key(13, "confusion"), 0, 0);
  for (std::size_t i = 0; i < 10; ++i) {
    std::int64_t rest = 1000;
    for (std::size_t j = 0; j < 10; ++j) {
      const bool animals = i >= 2 && i <= 7 && j >= 2 && j <= 7;
      matrix[i][j] = i == j ? 0 : static_cast<std::int64_t>(random.below(animals ? 30 : 6));
      rest -= matrix[i][j];
    }
    matrix[i][i] = rest;
  }
  matrix[3][5] += 96;
  matrix[3][3] -= 96;
  matrix[5][3] += 81;
  matrix[5][5] -= 81;
  return matrix;
}

std::vector<ReportModel> models() {
  return {{.role = "teacher",
           .architecture = "cifar_resnet56",
           .parameters = 855770,
           .macs = 126'540'000,
           .bytes = 3'451'208,
           .latency_ms = 6.31,
           .accuracy = 0.9332,
           .seeds = 1},
          {.role = "student alone",
           .architecture = "cifar_resnet8",
           .parameters = 78042,
           .macs = 12'510'000,
           .bytes = 317'400,
           .latency_ms = 0.93,
           .accuracy = 0.8627,
           .accuracy_spread = 0.0021,
           .seeds = 5},
          {.role = "student with kd",
           .architecture = "cifar_resnet8",
           .parameters = 78042,
           .macs = 12'510'000,
           .bytes = 317'400,
           .latency_ms = 0.93,
           .accuracy = 0.8701,
           .accuracy_spread = 0.0018,
           .seeds = 5},
          {.role = "this student",
           .architecture = "cifar_resnet8",
           .parameters = 78042,
           .macs = 12'510'000,
           .bytes = 317'400,
           .latency_ms = 0.92,
           .accuracy = 0.8764,
           .accuracy_spread = 0.0015,
           .seeds = 5}};
}

ReportAttention attention(const std::string& title, std::size_t heads) {
  const std::vector<std::string> tokens{"[CLS]", "the", "cat", "sat", "[MASK]", "[SEP]"};
  ReportAttention out{.title = title, .note = "a note", .rows = tokens, .columns = tokens, .maps = {}};
  RandomStream random(random_key(17, title), 0, 0);
  for (std::size_t h = 0; h < heads; ++h) {
    ReportMap map{.title = fmt::format("head {}", h + 1), .height = 6, .width = 6, .values = {}};
    for (int y = 0; y < 6; ++y)
      for (int x = 0; x < 6; ++x)
        map.values.push_back(x > y ? std::nanf("") : static_cast<float>(random.uniform()));
    out.maps.push_back(std::move(map));
  }
  return out;
}

}  // namespace

ReportData sample_report() {
  ReportData data;
  data.title = "cifar_resnet8 learns from cifar_resnet56";
  data.subtitle = "Masked generative distillation on CIFAR-10: 30 epochs, seeds 1 to 5";
  data.findings = {
      "The distilled student is 1.37 points better than the same student trained alone, over 5 seeds.",
      "It keeps 93.9 % of the teacher's accuracy with an eleventh of its parameters.",
      "The gain over plain kd (0.63 points) is larger than the spread of the seeds (0.15 points), but only "
      "one "
      "dataset and one pair of models were tried."};
  data.models = models();
  data.tables = {{.title = "Accuracy by method and seed",
                  .note = "Per cent on the test split; the last epoch counts.",
                  .header = {"Method", "Seed 1", "Seed 2", "Seed 3", "Mean", "Spread"},
                  .rows = {{"cross_entropy", "86.12", "86.31", "86.38", "86.27", "0.21"},
                           {"kd", "86.90", "87.15", "86.98", "87.01", "0.18"},
                           {"kd + mgd", "87.52", "87.80", "87.60", "87.64", "0.15"}}}};
  data.curves = curves();
  data.class_names = kNames;
  data.confusion = confusion();
  for (std::uint64_t i = 0; i < 12; ++i) {
    data.mistakes.push_back({.image = picture(i, 32),
                             .name = fmt::format("test/{:05}.png", 137 * i + 11),
                             .label = kNames[i % 10],
                             .student_answer = kNames[(i * 3 + 1) % 10],
                             .teacher_answer = i % 3 == 0 ? kNames[(i * 3 + 1) % 10] : kNames[i % 10],
                             .student_score = 0.99 - 0.02 * static_cast<double>(i),
                             .teacher_score = 0.5 + 0.04 * static_cast<double>(i)});
  }
  for (std::uint64_t i = 20; i < 23; ++i) data.illustrations.push_back(illustration(i));
  data.gaps = {{.before = "the cat ",
                .truth = "sat",
                .after = " on the mat",
                .guesses = {{"sat", 0.61}, {"lay", 0.22}, {"is", 0.05}}},
               {.before = "a ", .truth = "king", .after = "!", .guesses = {{"man", 0.4}}}};
  data.continuations = {{.prompt = "ROMEO:\nIs the day", .text = " so young?\n\n", .original = "so young?"}};
  data.masks = {attention("causal", 1)};
  data.attention = {attention("layer 1", 4), attention("layer 2", 4)};
  data.config_yaml =
      "task: classify\ndata: {path: cifar10, augment: [crop: 4, flip]}\nstudent: {model: "
      "cifar_resnet8}\nlosses:\n"
      "  - {name: cross_entropy, weight: 0.1}\n  - {name: kd, weight: 0.9, temperature: 4}\n"
      "  - {name: mgd, student_tap: layer3, teacher_tap: layer3, mask: channel, mask_ratio: 0.15}\n";
  data.environment_json =
      R"({"mgd": "0.1.0", "libtorch": "2.13.0", "cpu": {"model": "Sample CPU", "cores": 2, "flags": ["avx2", "fma"]}})";
  data.data_report_json =
      R"({"train": {"samples": 50000, "corrupt": 0}, "test": {"samples": 10000, "corrupt": 0}})";
  return data;
}

}  // namespace mgd
