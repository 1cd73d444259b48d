#include "mgd/teach/distill_static.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/core/clock.h"
#include "mgd/core/error.h"
#include "mgd/data/text_pieces.h"
#include "mgd/eval/text_folder.h"
#include "mgd/format/static_config.h"
#include "mgd/io/static_folder.h"
#include "mgd/nn/device.h"
#include "mgd/ops/principal_components.h"
#include "mgd/teach/static_vectors.h"
#include "mgd/teach/token_weights.h"
#include "mgd/text/pruned_vocabulary.h"

namespace mgd {

namespace {

constexpr std::int64_t kMostTokens = 512;  // of a text; the habit of the model2vec package

// "GPT2LMHeadModel" by its config.json, for the message alone.
std::string class_in_config(const fs::path& folder) {
  const auto config = nlohmann::json::parse(read_file(folder / "config.json", 100'000'000), nullptr, false);
  for (const char* key : {"architectures", "model_type"}) {
    if (!config.is_object() || !config.contains(key)) continue;
    const auto& value = config[key].is_array() && !config[key].empty() ? config[key][0] : config[key];
    if (value.is_string()) return value.get<std::string>();
  }
  return "a model";
}

void require_sentence_encoder(const std::string& folder) {
  const fs::path root = folder;
  if (!fs::is_directory(root)) fail(ExitCode::missing_input, "{}: no such model folder", folder);
  constexpr const char* kWanted =
      "static vectors are made from a sentence encoder, a folder with the modules.json of "
      "sentence-transformers";
  for (const char* inner : {"student", "model"})
    if (!is_text_folder(folder) && is_text_folder((root / inner).string()))
      fail(ExitCode::usage, "{}: the folder of a run; its model is {}", folder, (root / inner).string());
  if (!is_text_folder(folder))
    fail(ExitCode::usage, "{}: it is a model of pictures, or none; {}", folder, kWanted);
  if (is_static_folder(folder))
    fail(ExitCode::usage, "{}: it is a static model already; {}", folder, kWanted);
  if (!fs::exists(root / "modules.json"))
    fail(ExitCode::usage,
         "{}: it is no sentence encoder: there is no modules.json, and config.json says {}; {}", folder,
         printable(class_in_config(root)), kWanted);
}

void require_components(const std::string& teacher, std::int64_t wanted, std::int64_t width,
                        std::int64_t tokens) {
  if (wanted > width)
    fail(ExitCode::usage,
         "--components: got {}, but the vectors of {} have {} numbers; write --components {}", wanted,
         teacher, width, width);
  if (wanted > tokens)
    fail(ExitCode::usage, "--components: got {}, but {} tokens of {} have a vector; write --components {}",
         wanted, tokens, teacher, tokens);
}

void tell_vocabulary(const PrunedVocabulary& pruned, bool whole,
                     const std::function<void(const std::string&)>& note) {
  const char* const what = whole ? "keep their ids, and vectors of 0" : "are left out of the vocabulary";
  if (pruned.num_placeholders > 0)
    note(fmt::format("{} placeholders [unusedN] {}", pruned.num_placeholders, what));
  if (pruned.num_added > 0) note(fmt::format("{} special and added tokens {}", pruned.num_added, what));
  if (pruned.opens_with_space && !whole)
    note("the tokenizer puts a space before each text from now on: a first word is one like any other");
}

// What the package keeps in its config.json of how the vectors were made.
std::string made_by(const std::string& teacher, const StaticOptions& options) {
  using Json = nlohmann::ordered_json;
  const fs::path folder = fs::absolute(teacher).lexically_normal();
  const bool weighted = options.weights != "none";
  return Json{{"tokenizer_name", (folder.has_filename() ? folder : folder.parent_path()).filename().string()},
              {"apply_pca", options.components > 0 ? Json(options.components) : Json(nullptr)},
              {"sif_coefficient", weighted ? Json(options.sif) : Json(nullptr)},
              {"frequencies", options.counts.empty() ? options.weights : "counts"},
              {"vectors", options.vectors},
              {"pooling", "mean"}}
      .dump();
}

class StaticDistiller {
 public:
  StaticDistiller(const std::string& teacher, const StaticOptions& options,
                  const std::function<void(const std::string&)>& note)
      : teacher_(teacher), options_(options), note_(note), tokenizer_(Tokenizer::load(teacher)) {}

  StaticOutcome run(const fs::path& out) {
    const double start = now_seconds();
    const bool whole = options_.vocabulary == "whole";
    const at::Device device = open_device(options_.device, "--device");
    OpenedText encoder = open();
    for (const std::string& line : encoder.notes) note_(line);
    const PrunedVocabulary pruned = prune_vocabulary(tokenizer_, kMostTokens);
    const auto tokens = static_cast<std::int64_t>(pruned.ids.size());
    require_components(teacher_, options_.components, encoder.model->config().hidden_size, tokens);
    StaticOutcome outcome{.placeholders = pruned.num_placeholders, .added = pruned.num_added};
    tell_vocabulary(pruned, whole, note_);
    const std::vector<double> weights = token_weights(pruned, outcome);
    note_(fmt::format("{} tokens {} {}", tokens,
                      options_.vectors == "input" ? "of the table of" : "through the layers of",
                      encoder.model->architecture()));
    encoder.model->to(device);
    at::Tensor rows = vectors(*encoder.model, pruned.ids, device);
    if (options_.components > 0) {
      PrincipalComponents all;
      all.add(rows);
      const PrincipalComponents::Result found = all.first(options_.components);
      const at::Tensor exact = rows.to(at::kDouble);
      rows = (exact - exact.mean(0, /*keepdim=*/true)).mm(found.components.t());
      outcome.explained = found.kept_frac;
    }
    rows = (rows.to(at::kDouble) * at::tensor(weights, at::kDouble).unsqueeze(1)).to(at::kFloat);
    write(out, std::move(rows), pruned, whole, outcome);
    outcome.seconds = now_seconds() - start;
    return outcome;
  }

 private:
  OpenedText open() const {
    OpenedText opened = open_text_folder(teacher_, {.adjust = [](TextConfig& config) {
                                           config.pooling = "mean";
                                           config.normalize = false;
                                         }});
    if (!knows_tokens(*opened.model, tokenizer_))
      fail(ExitCode::bad_data, "{}: the tokenizer has {} tokens, but the model knows {}", teacher_,
           tokenizer_.vocab_size(), opened.model->config().vocab_size);
    return opened;
  }

  // One for each token of the pruned vocabulary.
  std::vector<double> token_weights(const PrunedVocabulary& pruned, StaticOutcome& outcome) const {
    const auto tokens = static_cast<std::int64_t>(pruned.ids.size());
    if (options_.weights == "none") return std::vector<double>(pruned.ids.size(), 1.0);
    if (options_.counts.empty()) return smooth_weights(zipf_shares(tokens), options_.sif);
    const Tokenizer counting = Tokenizer::from_json(pruned.tokenizer, teacher_);
    TokenCounts counted = count_tokens(options_.counts, counting);
    if (counted.num_invalid > 0)
      note_(fmt::format("{}: {} places that are no UTF-8, read as U+FFFD", options_.counts,
                        counted.num_invalid));
    if (counted.num_cut > 0)
      note_(fmt::format("{}: {} lines of more than {} bytes came in parts", options_.counts, counted.num_cut,
                        kMaxPieceBytes));
    std::vector<std::int64_t>& counts = counted.counts;
    counts.resize(pruned.ids.size(), 0);
    outcome.unseen = std::count(counts.begin(), counts.end(), 0);
    note_(fmt::format("{} of {} tokens are not in {} and have the weight 1", outcome.unseen, tokens,
                      options_.counts));
    return smooth_weights(shares_of_counts(counts), options_.sif);
  }

  at::Tensor vectors(TextModel& encoder, const std::vector<std::int64_t>& ids, at::Device device) const {
    const at::Tensor rows = options_.vectors == "input"
                                ? input_vectors(encoder, ids)
                                : output_vectors(encoder, single_frame(tokenizer_), ids, device);
    const at::Tensor finite = at::isfinite(rows).all(1);
    if (!finite.all().item<bool>()) {
      const auto row = finite.to(at::kInt).argmin().item<std::int64_t>();
      fail(ExitCode::bad_data, "{}: NaN or infinity in its vector of the token '{}'", teacher_,
           printable(tokenizer_.token_of(ids[static_cast<std::size_t>(row)])));
    }
    return rows;
  }

  // rows (tokens, width). That of the unknown token is 0: libraries that do not drop it have the same unit
  // vectors then.
  void write(const fs::path& out, at::Tensor rows, const PrunedVocabulary& pruned, bool whole,
             StaticOutcome& outcome) const {
    const PrunedVocabulary kept = whole ? whole_vocabulary(tokenizer_, kMostTokens) : pruned;
    if (whole) {
      at::Tensor all = at::zeros({tokenizer_.vocab_size(), rows.size(1)}, at::kFloat);
      all.index_copy_(0, at::tensor(pruned.ids, at::kLong), rows);
      rows = std::move(all);
    }
    if (const auto unknown = Tokenizer::from_json(kept.tokenizer, teacher_).unknown_id())
      rows[*unknown].zero_();
    TextConfig config = static_config_of_modules(/*normalize=*/true);
    config.table = {.rows = rows.size(0), .made = made_by(teacher_, options_)};
    config.vocab_size = rows.size(0);
    config.hidden_size = rows.size(1);
    config.max_positions = kMostTokens;
    outcome.tokens = rows.size(0);
    outcome.width = rows.size(1);
    outcome.bytes = static_cast<std::int64_t>(rows.nbytes());
    save_text_folder(out.string(), {.config = config,
                                    .tensors = {{"embeddings", rows}},
                                    .tokenizer = {{"tokenizer.json", kept.tokenizer}}});
  }

  const std::string teacher_;
  const StaticOptions& options_;
  const std::function<void(const std::string&)>& note_;
  const Tokenizer tokenizer_;
};

}  // namespace

void StaticOptions::visit(OptionVisitor& v) {
  v.option("vectors", vectors,
           {.help = "static: of a token, the teacher's answer to it, or the row that it reads",
            .choices = {"output", "input"}});
  v.option("components", components,
           {.help = "static: principal components; 0 = the vectors as they are", .min = 0, .max = 65536});
  v.option("weights", weights,
           {.help = "static: less for frequent tokens by Zipf's law, or none", .choices = {"zipf", "none"}});
  v.option("counts", counts, {.help = "static: text file that is counted in place of Zipf's law"});
  v.option("sif", sif,
           {.help = "static: a of the weights a / (a + p)", .min = 0, .max = 1, .min_open = true});
  v.option("vocabulary", vocabulary,
           {.help = "static: without special tokens, or whole: tokens keep their ids",
            .choices = {"pruned", "whole"}});
}

StaticOutcome distill_static(const std::string& teacher, const fs::path& out, const StaticOptions& options,
                             const std::function<void(const std::string&)>& note) {
  require_sentence_encoder(teacher);
  if (options.sif != StaticOptions{}.sif && options.weights == "none")
    fail(ExitCode::usage, "--sif: got {}, but --weights none weighs nothing", options.sif);
  if (!options.counts.empty() && options.weights == "none")
    fail(ExitCode::usage, "--counts: got {}, but --weights none weighs nothing", options.counts);
  std::error_code ignored;
  if (fs::equivalent(teacher, out, ignored))
    fail(ExitCode::usage, "--out: got {}, which is the teacher; name another folder", out.string());
  return StaticDistiller(teacher, options, note).run(out);
}

}  // namespace mgd
