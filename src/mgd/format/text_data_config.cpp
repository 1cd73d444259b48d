#include "mgd/format/text_data_config.h"

namespace mgd {

void TextDataConfig::visit(OptionVisitor& v) {
  v.option("tokenizer", tokenizer,
           {.help = "tokenizer.json or a folder with one; empty = the teacher's or student's folder"});
  v.option("format", format,
           {.help = "what the files hold: a document a line, documents between blank lines, one document a "
                    "file, or rows; auto = by the name's ending, else lines",
            .choices = {"auto", "lines", "paragraphs", "file", "jsonl", "csv", "tsv"}});
  v.option(
      "columns", columns,
      {.help = "rows: the column of the text, or two of a pair; by name, or by number from 0; empty = text"});
  v.option("target", target,
           {.help = "rows: the column of the label or score, by name or number; empty = none"});
  v.option(
      "validation", validation,
      {.help =
           "name of the validation split inside data.path; empty = data.validation of the training split"});
  v.option(
      "samples", samples,
      {.help = "what a sample is: a document (cut where it is too long), a block of the whole corpus, or "
               "several documents in one row",
       .choices = {"documents", "blocks", "packed"}});
  v.option("max_length", max_length,
           {.help = "tokens of one sample, special ones included", .min = 1, .max = 1 << 20});
  v.option(
      "prompt", prompt,
      {.help =
           "put before each text; empty = the default prompt of the student, where it is a sentence encoder "
           "that has one"});
  v.option("cache_dir", cache_dir,
           {.help = "folder that keeps tokenised corpora between runs; empty = in the run folder"});
}

void ObjectiveConfig::visit(OptionVisitor& v) {
  v.option(
      "mask_ratio", mask_ratio,
      {.help = "mlm, denoise: expected hidden share of the text; -1 = 0.15 and 0.3", .min = -1, .max = 1});
  v.option("rule", rule,
           {.help = "mlm: each unit by itself, or BERT's count max(1, round(mask_ratio n)) a sequence",
            .choices = {"bernoulli", "exact"}});
  v.option("whole_word", whole_word, {.help = "mlm, denoise: words are hidden as a whole"});
  v.option("spans", spans, {.help = "mlm: hide stretches of units (SpanBERT)"});
  v.option("span_p", span_p,
           {.help = "mlm: parameter of the geometric length", .min = 0, .max = 1, .min_open = true});
  v.option("span_max", span_max, {.help = "mlm: longest stretch, in units", .min = 1, .max = 1000});
  v.option("span_mean", span_mean,
           {.help = "denoise: mean of the Poisson length of a stretch, in units", .min = 0.5, .max = 100});
  v.option("mask_frac", mask_frac,
           {.help = "mlm: share of the hidden that becomes the mask token", .min = 0, .max = 1});
  v.option("random_frac", random_frac,
           {.help = "mlm: share of the hidden that becomes a random token; the rest stays as it is",
            .min = 0,
            .max = 1});
  v.option("variants", variants,
           {.help = "masks of each sample, cycled by epoch (1 = static); 0 = new ones every epoch",
            .min = 0,
            .max = 1000});
  v.option("permute_sentences", permute_sentences,
           {.help = "denoise: share of the documents whose sentences change places", .min = 0, .max = 1});
}

}  // namespace mgd
