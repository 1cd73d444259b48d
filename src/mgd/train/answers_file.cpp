#include "mgd/train/answers_file.h"

#include <ATen/ops/softmax.h>

#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/format/archive_tree.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

// The likeliest class of each row of logits (N, K), with its probability.
struct Likeliest {
  at::Tensor classes, scores;  // (N) int64, (N) double

  explicit Likeliest(const at::Tensor& logits) {
    const auto [values, indices] = logits.to(at::kDouble).softmax(1).max(1);
    classes = indices.contiguous();
    scores = values.contiguous();
  }
  std::size_t at(std::int64_t i) const {
    return static_cast<std::size_t>(classes.const_data_ptr<std::int64_t>()[i]);
  }
  double score(std::int64_t i) const { return scores.const_data_ptr<double>()[i]; }
};

StoredAnswer answer_of(const json& row) {
  return {.label = row.at("label").get<std::string>(),
          .answer = row.at("answer").get<std::string>(),
          .teacher = row.value("teacher", ""),
          .score = row.at("score").get<double>(),
          .teacher_score = row.value("teacher_score", 0.0)};
}

}  // namespace

std::string answers_jsonl(const FinalMeasures& measures) {
  if (measures.source == nullptr || !measures.student.logits.defined()) return "";
  const ImageSource& source = *measures.source;
  const auto& names = source.class_names();
  const Likeliest student(measures.student.logits);
  std::optional<Likeliest> teacher;
  if (measures.teacher().logits.defined()) teacher.emplace(measures.teacher().logits);
  std::string text;
  for (std::int64_t i = 0; i < student.classes.size(0); ++i) {
    json row{{"input", source.name(i)},
             {"label", names.at(static_cast<std::size_t>(source.label(i)))},
             {"answer", names.at(student.at(i))},
             {"score", student.score(i)}};
    if (teacher) {
      row["teacher"] = names.at(teacher->at(i));
      row["teacher_score"] = teacher->score(i);
    }
    text += row.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  }
  return text;
}

std::map<std::string, StoredAnswer> parse_answers(const std::string& jsonl, const std::string& source) {
  std::map<std::string, StoredAnswer> answers;
  std::size_t begin = 0;
  for (std::size_t line = 1; begin < jsonl.size(); ++line) {
    const std::size_t end = std::min(jsonl.find('\n', begin), jsonl.size());
    const json row = json::parse(jsonl.begin() + static_cast<std::ptrdiff_t>(begin),
                                 jsonl.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    begin = end + 1;
    try {
      const auto name = row.at("input").get<std::string>();
      if (!answers.emplace(name, answer_of(row)).second)
        fail(ExitCode::bad_data, "{}: line {}: '{}' comes a second time", source, line, printable(name));
    } catch (const json::exception&) {
      fail(ExitCode::bad_data, "{}: line {}: expected an object with input, label, answer and score", source,
           line);
    }
  }
  return answers;
}

}  // namespace mgd
