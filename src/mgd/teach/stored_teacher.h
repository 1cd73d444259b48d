// A teacher of which only a file of answers is there.
#pragma once

#include <memory>
#include <vector>

#include "mgd/eval/summary.h"
#include "mgd/teach/stored_answers.h"

namespace mgd {

// Answers by the names of a batch's samples, whatever their pictures look like in it. A batch that nobody
// names, as in a rehearsal, gets the first rows. Nodes are the file's outputs,
// tokens (T, H) as the map that their patches are (types/token_grid.h), with the first at NAME.first where it
// is none.
class StoredTeacher final : public Model {
 public:
  // columns: of the logits, in the order in which they are wanted; empty: as they are.
  explicit StoredTeacher(std::shared_ptr<const StoredAnswers> answers,
                         std::vector<std::int64_t> columns = {});

  const std::string& architecture() const override { return architecture_; }
  NodeInfo info_of(const std::string& node, const at::Tensor& activation) const override;
  std::string default_tap() const override;  // the first map, else the first output
  bool of_head(const std::string& /*tensor*/) const override { return false; }
  ModelSummary summary() const;
  std::vector<std::string> notes() const;  // how tokens are taken, a line an output

 protected:
  Record answer(const Batch& batch, Forward& forward) override;

 private:
  std::vector<std::int64_t> rows_of(const Batch& batch) const;
  std::shared_ptr<const StoredAnswers> answers_;
  std::vector<std::int64_t> columns_;
  std::string architecture_ = "stored answers";
};

}  // namespace mgd
