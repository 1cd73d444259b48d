// What a task of pictures tells of its data.
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/data/source_lines.h"
#include "mgd/task/image_task.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

std::vector<std::int64_t> pictures_of_classes(const ImageSource& source) {
  std::vector<std::int64_t> counts(source.class_names().size());
  for (std::int64_t i = 0; i < source.size(); ++i)
    if (const auto label = source.label(i); label >= 0) ++counts.at(static_cast<std::size_t>(label));
  return counts;
}

std::int64_t pictures_without_label(const ImageSource& source) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < source.size(); ++i) count += source.label(i) < 0 ? 1 : 0;
  return count;
}

json split_json(const ImageSource* source, bool labelled) {
  if (!source) return nullptr;
  json split{{"samples", source->size()},
             {"unused_files", source->unused_files()},
             {"notes", source->notes()},
             {"classes", nullptr},
             {"fingerprint", source->fingerprint()}};
  if (!labelled) return split;
  const std::vector<std::int64_t> counts = pictures_of_classes(*source);
  json classes = json::object();
  for (std::size_t c = 0; c < counts.size(); ++c) classes[source->class_names()[c]] = counts[c];
  split["classes"] = std::move(classes);
  if (const auto without = pictures_without_label(*source); without > 0) split["without_label"] = without;
  return split;
}

// Of a class that is not measured nobody learns how well it is known.
std::string missing_classes_line(const char* part, const ImageSource* source) {
  if (source == nullptr || source->size() == 0 || source->label(0) < 0) return "";
  const std::vector<std::int64_t> counts = pictures_of_classes(*source);
  std::vector<std::string> missing;
  for (std::size_t c = 0; c < counts.size(); ++c)
    if (counts[c] == 0) missing.push_back(printable(source->class_names()[c]));
  if (missing.empty()) return "";
  constexpr std::size_t kShown = 5;
  const std::size_t more = missing.size() - std::min(missing.size(), kShown);
  missing.resize(std::min(missing.size(), kShown));
  return fmt::format("{:<10} the {} part has no pictures of {}{}", "", part, fmt::join(missing, ", "),
                     more > 0 ? fmt::format(" and {} more classes", more) : "");
}

}  // namespace

std::vector<std::string> ImageTask::describe() const {
  const auto size = [](const ImageSource* s) { return s ? s->size() : 0; };
  const std::int64_t without = unlabelled_ ? 0 : pictures_without_label(*train_);
  std::vector<std::string> lines = describe_pictures(rules_, survey_, info_.in_channels);
  lines.insert(
      lines.begin(),
      fmt::format("{:<10} {}: {} train{}, {} validation, {} test; {}", "data", data_name(),
                  train_->size() - without, without > 0 ? fmt::format(" and {} without labels", without) : "",
                  size(validation_.get()), size(test_.get()),
                  unlabelled_ ? "no labels" : fmt::format("{} classes", info_.label_names.size())));
  if (teacher_sees_another_size())
    lines.push_back(fmt::format("{:<10} the teacher sees the same parts of them at {} x {}", "",
                                teacher_size_.height, teacher_size_.width));
  for (auto& line : source_lines(*train_)) lines.push_back(std::move(line));
  lines.push_back(fmt::format("{:<10} mean {:.4g}, std {:.4g}", "", fmt::join(info_.mean, " "),
                              fmt::join(info_.std, " ")));
  for (const auto& [part, source] :
       {std::pair{"validation", validation_.get()}, std::pair{"test", test_.get()}})
    if (std::string line = missing_classes_line(part, source); !line.empty())
      lines.push_back(std::move(line));
  lines.insert(lines.end(), notes_.begin(), notes_.end());
  if (!head_learns_)
    lines.push_back(
        fmt::format("{:<10} no loss looks at its answers: it is exported without a classifier, and mgd train "
                    "gives it one",
                    "student"));
  return lines;
}

std::string ImageTask::data_report_json(const BatchStream& stream) const {
  json report{{"path", data_name()},
              {"train", split_json(train_.get(), labelled())},
              {"validation", split_json(validation_.get(), labelled())},
              {"test", split_json(test_.get(), labelled())}};
  report["corrupt"] = stream.corrupt();
  report["left_out_of_measures"] = left_out_;
  return report.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace mgd
