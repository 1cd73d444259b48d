// From a resolved recipe to a report: the course of a run, for the command, the demos, and whoever runs many.
#pragma once

#include <span>
#include <string>

#include "mgd/format/config.h"
#include "mgd/train/finish.h"

namespace mgd {

// Who is told how a run goes. On the thread that runs; what one throws ends the run there.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void note(const std::string& /*line*/) {}
  virtual void warn(const std::string& line) { note(line); }  // something is wrong with the recipe
  virtual void progress(const Progress& /*progress*/) {}
  virtual void training_begins() {}  // only between these two can a request stop it
  virtual void training_ends() {}
};

struct RunOptions {
  RunFolder::Open open = RunFolder::Open::create;
  bool strict = false;                // refuse to fall back to an older checkpoint
  bool dry_run = false;               // one batch through teacher and student, nothing trained or written
  std::string model_dir = "student";  // of the exported model, in the run's folder
  std::string recipe;  // text of a proposed recipe, kept in the run for editing; "" = the user has his own
  TrainRequests* requests = nullptr;  // alive until run_config returns; nullptr: nobody asks
};

struct RunModel {
  std::string name;  // of a teacher, as the recipe calls it
  ModelSummary summary;
  ModelMeasures measures;
};

struct RunResult {
  fs::path folder;
  TrainResult training;
  bool complete = false;  // trained to an end, measured, exported; what follows is then there
  std::string split;      // of the measures; "": there was none
  Headline headline;
  RunModel student;
  std::vector<RunModel> teachers;
  std::string summary;  // summary.json, as it was written

  double headline_value() const { return figure(student.measures.figures, headline.name); }
};

// Resolve, check, train, measure, export, report; with all files of a run folder. Throws Error for everything
// that a recipe, the data or the machine may have against it; what was trained until then can be resumed.
RunResult run_config(const Config& config, const RunOptions& options,
                     std::span<RunObserver* const> observers = {});

}  // namespace mgd
