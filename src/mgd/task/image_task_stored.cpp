// A teacher of a task of pictures of whom only a file of answers is there.
#include <set>
#include <unordered_set>

#include "mgd/core/error.h"
#include "mgd/task/image_task.h"
#include "mgd/teach/stored_teacher.h"

namespace mgd {
namespace {

struct Coverage {
  std::int64_t known = 0, pictures = 0;
  std::string missing;  // the first picture that the file does not know
  bool complete() const { return known == pictures; }
};

// `rows` gets those of the pictures' answers.
Coverage coverage_of(StoredAnswers& answers, const ImageSource* source, std::set<std::int64_t>& rows) {
  Coverage coverage;
  for (std::int64_t i = 0; source != nullptr && i < source->size(); ++i) {
    ++coverage.pictures;
    const std::string name = source->name(i);
    const std::int64_t row = answers.row_of(answers.by_content() ? content_name(source->content(i)) : name);
    if (row < 0) {
      if (coverage.missing.empty()) coverage.missing = name;
      continue;
    }
    ++coverage.known;
    rows.insert(row);
    if (answers.by_content()) answers.call_too(name, row);
  }
  return coverage;
}

// Pictures of data.path and of data.unlabelled may be called alike, and then an answer could be to either.
void refuse_same_names(const ImageSource& source, const std::string& file) {
  std::unordered_set<std::string> names;
  for (std::int64_t i = 0; i < source.size(); ++i)
    if (!names.insert(source.name(i)).second)
      fail(ExitCode::bad_data,
           "{}: two training pictures are called '{}', one of data.path and one of data.unlabelled, and "
           "answers "
           "go by name; rename the folder of the latter, or the pictures",
           file, printable(source.name(i)));
}

}  // namespace

OpenedTeacher ImageTask::open_stored_teacher(const ModelConfig& wanted, const std::string& role) {
  if (!config_.data.augment.empty())
    fail(ExitCode::usage,
         "data.augment: the answers in {} are to the pictures as they lie, and augmentation changes them; "
         "leave it "
         "out (data.augment=[])",
         wanted.answers);
  if (!config_.train.teacher_cache.path.empty())
    fail(ExitCode::usage, "train.teacher_cache: {} is a file of answers already; leave the cache out",
         wanted.answers);
  refuse_same_names(*train_, wanted.answers);
  auto answers = std::make_shared<StoredAnswers>(wanted.answers);
  OpenedTeacher opened;
  opened.facts.stored = true;
  std::set<std::int64_t> rows;
  for (const char* part : {"train", "validation", "test"}) {
    const Coverage coverage = coverage_of(*answers, source(part), rows);
    const bool needed = std::string_view(part) == "train" || (unlabelled_ && coverage.pictures > 0);
    if (!coverage.complete() && (needed || coverage.known > 0))
      fail(ExitCode::bad_data, "{}: no answers to {} of {} {} pictures, e.g. '{}'{}{}", wanted.answers,
           coverage.pictures - coverage.known, coverage.pictures, part, printable(coverage.missing),
           answers->by_content() || coverage.known > 0 ? "" : suggestion(coverage.missing, answers->names()),
           unlabelled_ && std::string_view(part) != "train"
               ? "; without labels the student is measured by them, so they must be there too"
               : "");
    if (!coverage.complete()) opened.facts.silent_on.insert(part);
  }
  if (const std::size_t all = answers->names().size(), used = rows.size(); used < all)
    notes_.push_back(
        fmt::format("{:<10} {} of {} answers in the file are to pictures that this run does not use", role,
                    all - used, all));
  answers->check_logits();
  const auto* logits = answers->output("logits");
  const ModelDefaults defaults = model_defaults(HeadUse::teach);
  FittedClasses fitted =
      fit_classes(answers->classes(), logits != nullptr ? logits->shape[0] : 0, defaults.classes, role);
  if (!fitted.note.empty()) notes_.push_back(fmt::format("{:<10} {}", role, fitted.note));
  teacher_named_ = teacher_named_ || fitted.named;
  const bool judges = unlabelled_ && train_->class_names().empty();
  if (judges) take_classes(fitted.names, fitted.num_classes, fitted.no_logits.empty());
  auto model = std::make_unique<StoredTeacher>(answers, fitted.rows);
  for (const std::string& line : model->notes()) notes_.push_back(fmt::format("{:<10} {}", role, line));
  opened.facts.summary = model->summary();
  opened.facts.default_tap = model->default_tap();
  if (judges) note_compared(role, *model);
  opened.facts.hash = answers->fingerprint();
  opened.facts.num_outputs = fitted.num_classes;
  opened.facts.no_logits = fitted.no_logits;
  opened.model = std::move(model);
  opened.open = [answers, rows = fitted.rows] { return std::make_unique<StoredTeacher>(answers, rows); };
  if (judges) open_judge_ = opened.open;
  return opened;
}

}  // namespace mgd
