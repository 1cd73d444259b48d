// report.html: one self-contained file that tells a run. No network, no script libraries; phone width and
// dark mode.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "mgd/eval/intervals.h"
#include "mgd/format/image.h"

namespace mgd {

struct ReportModel {  // a row of the first table
  std::string role;   // "teacher", "student alone", "this student"
  std::string architecture;
  std::int64_t parameters = 0, macs = 0, bytes = 0;
  double latency_ms = -1;                      // -1: not measured
  double accuracy = -1, accuracy_spread = -1;  // 0..1; -1: not known
  Interval interval = {-1, -1};                // 95 %, of the accuracy; -1: not known
  int seeds = 0;
};

struct ReportCurve {
  std::string name;                               // "loss", "loss/mgd", "eval/accuracy"
  std::vector<std::pair<double, double>> points;  // (step, value)
};

struct ReportMistake {
  Image image;
  std::string name, label, student_answer, teacher_answer;
  double student_score = 0, teacher_score = 0;  // probabilities
};

// What distillation does to one sample at one tap. Maps are {Y, X} means over channels, any range.
struct ReportMap {
  std::string title;  // "student", "mask", "regenerated", "teacher"
  std::int64_t height = 0, width = 0;
  std::vector<float> values;
};
struct ReportIllustration {
  std::string tap, caption;
  Image image;
  std::vector<ReportMap> maps;
};

// Tokens of a text: rows look at columns.
struct ReportAttention {
  std::string title, note;
  std::vector<std::string> rows, columns;
  std::vector<ReportMap> maps;  // {rows, columns}, 0..1 each; NaN: hidden by the mask
};

// A word of a text, hidden from a masked language model.
struct ReportGap {
  std::string before, truth, after;
  std::vector<std::pair<std::string, double>> guesses;  // with their probabilities, the likeliest first
};

struct ReportContinuation {
  std::string prompt, text, original;  // what a language model writes after the prompt, and what stands there
};

struct ReportTile {  // a key figure above all
  std::string name, value, note;
};

struct ReportTable {  // e.g. the demo's methods x seeds
  std::string title, note;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

struct ReportData {
  std::string title, subtitle;
  std::vector<ReportTile> tiles;  // empty: those of the model that the page is about
  std::string findings_title = "Findings";
  std::vector<std::string> findings;        // plain sentences: what it shows, what it does not
  std::vector<ReportTable> finding_tables;  // what they rest on
  std::string latency_note;                 // what the latencies were measured under
  std::vector<ReportModel> models;
  std::vector<ReportTable> tables;
  std::vector<ReportCurve> curves;
  std::vector<std::string> class_names;
  std::vector<std::vector<std::int64_t>> confusion;  // [true][predicted]
  std::vector<ReportMistake> mistakes;
  std::vector<ReportIllustration> illustrations;
  std::vector<ReportGap> gaps;
  std::vector<ReportContinuation> continuations;
  std::vector<ReportAttention> masks;      // who may look at whom
  std::vector<ReportAttention> attention;  // who does
  std::string config_yaml, environment_json, data_report_json;
};

// Every string is escaped: a class named "<script>" is text. Empty sections are left out.
std::string render_report(const ReportData& data);

// The text of a run folder's metrics.jsonl -> one curve for each numeric key worth drawing (not step, epoch,
// clocks), in the order of first appearance. null is NaN; rows that a resumed run wrote again replace the old
// ones; a half-written last line is left out. Any other line that is no JSON object: Error(bad_data) with its
// number.
std::vector<ReportCurve> read_curves(const std::string& metrics_jsonl);

}  // namespace mgd
