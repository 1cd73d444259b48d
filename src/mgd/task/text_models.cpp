#include "mgd/task/text_models.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/data/text_frame.h"
#include "mgd/io/sentence_files.h"
#include "mgd/task/fit_classes.h"
#include "mgd/text/causal_tokenizer.h"
#include "mgd/text/tokenizer_files.h"

namespace mgd {

namespace {

TextHead head_of(const std::string& task) {
  if (task == "mlm") return TextHead::masked_lm;
  if (task == "clm" || task == "denoise") return TextHead::causal_lm;
  return task == "classify" ? TextHead::sequence_classification : TextHead::encoder;
}

void check_vocabulary(const TextModel& model, const Tokenizer& tokenizer, const std::string& role) {
  if (!knows_tokens(model, tokenizer))
    fail(ExitCode::usage, "{}: {} knows {} tokens, the tokenizer has {}", role, model.architecture(),
         model.config().vocab_size, tokenizer.vocab_size());
}

// A static table knows a token by its id alone: read by another tokenizer, every vector would be another's.
void check_same_ids(const std::string& folder, const Tokenizer& tokenizer) {
  const Tokenizer own = Tokenizer::load(folder);
  for (std::int64_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.has_id(id) || own.id_of(tokenizer.token_of(id)) == id) continue;
    fail(
        ExitCode::usage,
        "student: {} is a static model, and its tokenizer has not the ids of the run's: '{}' is {} there and "
        "{} here; mgd distill --static TEACHER --vocabulary whole makes one that keeps its teacher's",
        folder, printable(tokenizer.token_of(id)), id, own.id_of(tokenizer.token_of(id)).value_or(-1));
  }
}

// The first and the last of the special tokens around a document; -1: none.
struct Ends {
  std::int64_t opening = -1, closing = -1;
};
Ends ends_of(const Tokenizer& tokenizer) {
  const TextFrame frame = document_frame(tokenizer);
  return {.opening = frame.before.ids.empty() ? -1 : frame.before.ids.front(),
          .closing = frame.after.ids.empty() ? -1 : frame.after.ids.back()};
}

bool ends_with(const TextConfig& config, std::int64_t token) {
  return config.eos_id == token || std::find(config.other_eos_ids.begin(), config.other_eos_ids.end(),
                                             token) != config.other_eos_ids.end();
}

std::unique_ptr<TextModel> fresh_model(const Config& config, const Tokenizer& tokenizer, TextHead head,
                                       const std::vector<std::string>& classes) {
  const ModelConfig& wanted = config.student;
  if (!wanted.weights.empty())
    fail(ExitCode::usage, "student.weights: a text model comes as a folder; write student: FOLDER");
  TextSizes sizes = wanted.sizes;
  if (sizes.vocab_size == 0) sizes.vocab_size = tokenizer.vocab_size();
  TextConfig text = text_config(wanted.model, sizes, head);
  const SpecialTokens& special = tokenizer.special_tokens();
  text.pad_id = special.pad;
  text.bos_id = special.bos;
  text.eos_id = special.eos;
  text.cls_id = special.cls;
  text.sep_id = special.sep;
  if (head == TextHead::causal_lm) {
    const Ends ends = ends_of(tokenizer);
    if (ends.opening >= 0) text.bos_id = ends.opening;
    if (ends.closing >= 0) text.eos_id = ends.closing;
  }
  text.decoder_start_id = text.encoder_decoder() ? std::max(text.eos_id, special.sep) : -1;
  if (!classes.empty()) {
    text.num_labels = static_cast<std::int64_t>(classes.size());
    text.label_names = classes;
  }
  return make_text_model(text, static_cast<std::uint64_t>(config.run.seed));
}

// Opens a folder for the task of the recipe.
class RoleOpener {
 public:
  RoleOpener(const Config& config, const Tokenizer& tokenizer, const TextDataset& data, HeadUse use,
             std::string role)
      : config_(config), tokenizer_(tokenizer), data_(data), use_(use), role_(std::move(role)) {}

  TextRole open(const std::string& folder, std::function<void(TextConfig&)> adjust = {}) {
    // The ids that do not count are those of the tokenizer that the run reads with, not of the folder.
    const auto adjust_all = [&](TextConfig& own) {
      if (own.is_static()) own.table.left_out = uncounted_ids(tokenizer_, !own.table.counts_unknown);
      if (adjust) adjust(own);
    };
    const OpenTextOptions options{
        .head = head_of(config_.task),
        .fit_labels = [&](const TextConfig& own) { return fit(own); },
        .layers = use_ == HeadUse::learn ? config_.student.layers : std::vector<std::int64_t>{},
        .adjust = adjust_all,
        .seed = static_cast<std::uint64_t>(config_.run.seed)};
    OpenedText opened = open_text_folder(folder, options);
    for (const std::string& note : opened.notes) out_.notes.push_back(fmt::format("{}: {}", role_, note));
    if (!opened.fresh.empty()) tell_fresh(opened.fresh);
    out_.model = std::move(opened.model);
    out_.files = std::move(opened.tokenizer);
    return std::move(out_);
  }

 private:
  LabelFit fit(const TextConfig& own) {
    if (config_.task != "classify") return {};
    const bool classifies = own.head == TextHead::sequence_classification;
    std::vector<std::string> names = label_names_of(own);
    const bool unnamed = names != own.label_names;
    if (unnamed && config_.data.classes.size() == names.size()) names = config_.data.classes;
    const FittedClasses fitted =
        fit_classes(names, classifies ? own.num_labels : 0,
                    {.use = use_,
                     .data = data_.class_names,
                     .fresh = use_ == HeadUse::learn && config_.student.head == "fresh"},
                    role_);
    if (!fitted.note.empty()) out_.notes.push_back(fmt::format("{}: {}", role_, fitted.note));
    out_.no_logits = fitted.no_logits;
    return {.num_labels = fitted.num_classes,
            .names = fitted.names,
            .rows = fitted.rows,
            .fresh = fitted.fresh_head};
  }

  void tell_fresh(const std::vector<std::string>& fresh) {
    const std::string what = fmt::format("{} tensors of its head begin with fresh weights: {}{}",
                                         fresh.size(), fresh.front(), fresh.size() > 1 ? ", ..." : "");
    out_.notes.push_back(fmt::format("{}: {}", role_, what));
    // What was never learned teaches nothing.
    if (use_ == HeadUse::teach && out_.no_logits.empty())
      out_.no_logits = fmt::format("{} has no head for {}", role_, text_head_name(head_of(config_.task)));
  }

  const Config& config_;
  const Tokenizer& tokenizer_;
  const TextDataset& data_;
  const HeadUse use_;
  const std::string role_;
  TextRole out_;
};

// The ids that end and begin a text, in a generation_config.json that says others.
void set_ends(std::map<std::string, std::string>& files, const TextConfig& config) {
  const auto file = files.find("generation_config.json");
  if (file == files.end() || config.head != TextHead::causal_lm) return;
  auto object = nlohmann::ordered_json::parse(file->second, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return;
  object["bos_token_id"] = config.bos_id;
  object["eos_token_id"] = config.eos_id;
  if (object.contains("forced_eos_token_id") && !object["forced_eos_token_id"].is_null())
    object["forced_eos_token_id"] = config.eos_id;
  file->second = object.dump(2) + "\n";
}

}  // namespace

TextRole open_text_teacher(const Config& config, const std::string& folder, const std::string& role,
                           const Tokenizer& tokenizer, const TextDataset& data) {
  TextRole teacher = RoleOpener(config, tokenizer, data, HeadUse::teach, role).open(folder);
  check_vocabulary(*teacher.model, tokenizer, role);
  return teacher;
}

TextRole open_text_student(const Config& config, const Tokenizer& tokenizer, const TextDataset& data) {
  TextRole student;
  if (config.student.path.empty()) {
    student.model = fresh_model(config, tokenizer, head_of(config.task), data.class_names);
  } else {
    bool other_ends = false;
    const auto adjust = [&](TextConfig& own) {
      const Ends ends = ends_of(tokenizer);
      if (own.head != TextHead::causal_lm || ends.closing < 0 || ends_with(own, ends.closing)) return;
      own.eos_id = ends.closing;
      own.other_eos_ids.clear();
      if (ends.opening >= 0) own.bos_id = ends.opening;
      other_ends = true;
    };
    student =
        RoleOpener(config, tokenizer, data, HeadUse::learn, "student").open(config.student.path, adjust);
    if (other_ends) {
      set_ends(student.files, student.model->config());
      student.notes.push_back(fmt::format("student: its texts now end with the tokenizer's '{}'",
                                          printable(tokenizer.token_of(student.model->config().eos_id))));
    }
  }
  if (student.model->config().is_static()) check_same_ids(config.student.path, tokenizer);
  check_vocabulary(*student.model, tokenizer, "student");
  return student;
}

std::map<std::string, std::string> student_files(const Config& config, const Tokenizer& tokenizer,
                                                 const fs::path& tokenizer_path, const TextModel& student,
                                                 const std::map<std::string, std::string>& own) {
  std::map<std::string, std::string> files = own;
  for (const char* name : kTokenizerFiles) files.erase(name);
  std::error_code ignored;
  if (fs::is_directory(tokenizer_path, ignored)) {
    for (const fs::path& place : {transformer_folder(tokenizer_path), tokenizer_path})
      for (const char* name : kTokenizerFiles)
        if (fs::exists(place / name)) files[name] = read_file(place / name);
  }
  files["tokenizer.json"] = tokenizer.to_json();
  if (config.task == "clm" && !single_frame(tokenizer).after.ids.empty()) {
    const TextFrame frame = document_frame(tokenizer);
    make_causal(files, tokenizer, frame.before.ids, student.config().eos_id);
  }
  // A student made from scratch is as long as the encoder that taught it.
  constexpr const char* kLength = "sentence_bert_config.json";
  if (config.task == "embed" && own.empty() && !config.all_teachers().empty()) {
    const std::int64_t length = load_sentence_files(config.all_teachers().front().model.path).max_length;
    if (length > 0)
      files[kLength] = nlohmann::ordered_json{{"max_seq_length", std::min(length, student.max_tokens())},
                                              {"do_lower_case", false}}
                           .dump(2) +
                       "\n";
  }
  return files;
}

}  // namespace mgd
