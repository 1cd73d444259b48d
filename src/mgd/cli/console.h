// The terminal: notes and a progress line on stderr, results on stdout.
#pragma once

#include <string>

#include "mgd/train/trainer.h"

namespace mgd {

class Console {
 public:
  // color: auto | always | never (auto obeys NO_COLOR and asks whether stderr is a terminal).
  Console(bool quiet, const std::string& color);

  // Neither notes nor stages: for a part of something that has its own.
  static Console progress_only(bool quiet, const std::string& color);

  void note(const std::string& text);   // a line on stderr; nothing when quiet
  void warn(const std::string& text);   // the same, whether quiet or not
  void stage(const std::string& text);  // the same, set off
  // One line that redraws on a terminal (at most 10 times a second), plain lines every 30 s elsewhere; after
  // five seconds a note of what is to be expected.
  void progress(const Progress& progress);

 private:
  void clear_line();
  void draw(const Progress& progress);
  bool quiet_, terminal_, color_;
  bool notes_ = true;
  bool line_drawn_ = false;
  double last_drawn_ = 0, first_progress_ = 0;
  bool told_eta_ = false;
};

}  // namespace mgd
