// What the demo of text finds out, for its report.
#pragma once

#include <string>
#include <vector>

#include "mgd/cli/open_text.h"
#include "mgd/core/file.h"
#include "mgd/report/report.h"

namespace mgd {

struct DemoModel {
  std::string name;    // "masked model"
  std::string key;     // of its folder and recipe: "mlm"
  std::string target;  // what it predicts: "hidden token"
  std::string architecture;
  std::int64_t parameters = 0, steps = 0;
  double loss = 0, baseline = 0;  // nats a target of the held-out part; the second of guessing by frequency
  double accuracy = 0;
  double seconds = 0;
};

struct DemoTextResult {
  std::string text_name;  // what is learned from, as a person calls it
  std::size_t train_bytes = 0, held_out_bytes = 0;
  DemoModel masked, causal;
  std::vector<std::string> sentences;  // of the held-out part, for pictures
  std::vector<ReportGap> gaps;
  std::vector<ReportContinuation> continuations;
  double seconds = 0;
};

// What the numbers allow to be said, computed from them and not written beforehand.
std::vector<std::string> demo_text_findings(const DemoTextResult& result);

// report.html into `folder`, with the masks and the attention of the two models.
void write_demo_text_report(const DemoTextResult& result, const NamedText& masked, const NamedText& causal,
                            const fs::path& folder);

}  // namespace mgd
