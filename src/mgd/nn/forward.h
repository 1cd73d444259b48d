// One forward pass: its mode, and what happens at the named nodes a model passes through.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace mgd {

// What random layers draw from. Together with the layer's path it makes every draw a pure function, so that
// neither a resume nor the cut of a batch into micro-batches changes it.
struct ForwardDraws {
  std::uint64_t seed = 0;
  std::uint32_t step = 0;                // optimizer step
  std::vector<std::int64_t> sample_ids;  // B, of the rows of the batch
};

// Every layer of every model calls node(name, activation) and goes on with what it returns. That single point
// serves taps (capture), masked nodes (edit) and inspection (observe).
class Forward {
 public:
  using Edit = std::function<at::Tensor(at::Tensor)>;  // activation -> activation
  using Observer = std::function<void(const std::string& name, const at::Tensor& activation)>;

  explicit Forward(bool training = false) : training_(training) {}
  bool training() const { return training_; }

  // A pass without draws has nothing random in it, whatever its mode: a teacher may use the statistics of the
  // batch, but it never drops anything.
  void draw_from(ForwardDraws draws) { draws_ = std::move(draws); }
  const std::optional<ForwardDraws>& draws() const { return draws_; }

  // Convolutions 3x3 by Winograd's F(4x4, 3x3) where that is faster (ops/winograd.h): less exact.
  void use_winograd(bool wanted) { winograd_ = wanted; }
  bool winograd() const { return winograd_; }

  // Whether layers leave out the arithmetic on what nobody sees, or do it and mask its results: the same but
  // for rounding.
  void skip_hidden(bool wanted) { skips_hidden_ = wanted; }
  bool skips_hidden() const { return skips_hidden_; }

  void capture(const std::string& name) { captured_[name]; }
  void edit(const std::string& name, Edit edit) { edits_[name] = std::move(edit); }
  // Keeps what the layer of this path is given; linear layers tell.
  void keep_input_of(const std::string& path) { input_of_ = path; }
  void tell_input(const std::string& path, const at::Tensor& input) {
    if (!input_of_.empty() && path == input_of_) input_ = input;
  }
  const at::Tensor& kept_input() const { return input_; }
  void observe(Observer observer) { observer_ = std::move(observer); }

  // Whether anybody looks at this node: what is costly and needed by nobody else is computed only then.
  bool wants(const std::string& name) const { return observer_ || captured_.contains(name); }
  bool edits(const std::string& name) const { return edits_.contains(name); }

  // Edits come first, so a captured tap shows what the following layers see.
  at::Tensor node(const std::string& name, at::Tensor activation);

  void add_macs(std::int64_t macs) {
    macs_ += macs;
  }  // multiply-accumulates, counted by the layers that do them
  std::int64_t macs() const { return macs_; }

  // Captured activations. Throws Error(usage) for a name that no node passed: here, where they are taken,
  // since a node knows nothing of others and passes must not pay for a list of all.
  const std::map<std::string, at::Tensor>& captured() const;
  std::vector<std::string> not_passed() const;  // names to capture that no node has passed so far

 private:
  bool training_;
  bool winograd_ = false;
  bool skips_hidden_ = true;
  std::optional<ForwardDraws> draws_;
  std::int64_t macs_ = 0;
  std::map<std::string, at::Tensor> captured_;
  std::map<std::string, Edit> edits_;
  std::string input_of_;
  at::Tensor input_;
  Observer observer_;
};

}  // namespace mgd
