// Answers of a teacher in a file, whoever made it: by the names of the samples.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "mgd/core/input_file.h"
#include "mgd/format/safetensors.h"
#include "mgd/io/weights.h"

namespace mgd {

// What a sample is called by what it holds: "sha256:" and the SHA-256 of ImageSource::content().
std::string content_name(const std::string& content);

// A safetensors file of tensors (N, ...) in F32, F16 or BF16, with a row for each sample. Its metadata has
// "names", a JSON list of the N samples, as their source names them: the path from the data's folder, or
// content_name() of each; and it may have "classes", a JSON list of the names of the columns of "logits" (N,
// K). All other tensors are features by name.
class StoredAnswers {
 public:
  struct Output {
    std::string name;
    Dtype dtype = Dtype::f32;
    std::vector<std::int64_t> shape;  // of one sample
    std::uint64_t offset = 0, row_bytes = 0;
  };

  // Reads what the file says of itself, not its rows. Throws Error(missing_input), Error(refused) for a
  // pickle, and Error(bad_data) for what is no such file: no names, a name twice, other rows than names,
  // other types.
  explicit StoredAnswers(const std::string& path);

  std::string path() const { return file_.path().string(); }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::string>& classes() const { return classes_; }  // of the logits; empty: not said
  const std::vector<Output>& outputs() const { return outputs_; }       // by name
  const Output* output(const std::string& name) const;                  // null: none of that name
  std::int64_t row_of(const std::string& sample) const;                 // -1: none
  bool by_content() const;                                     // its samples are called by what they hold
  void call_too(const std::string& sample, std::int64_t row);  // from now on row_of(sample) is this one, too

  // Reads all logits. Throws Error(bad_data) for numbers that are none, and where every sample has the same
  // ones, from which nothing can be learned.
  void check_logits() const;

  // Rows of an output (B, ...) as float, from any thread. Throws Error(bad_data) with the sample for numbers
  // that are none, Error(io).
  at::Tensor read(const Output& output, std::span<const std::int64_t> rows) const;

  // SHA-256 of the header, and of the first bytes of every row of every output.
  std::string fingerprint() const;

 private:
  InputFile file_;
  std::string header_;
  std::vector<std::string> names_, classes_;
  std::vector<Output> outputs_;
  std::unordered_map<std::string, std::int64_t> rows_;
};

// Writes such a file atomically. outputs: (N, ...) on the CPU, N names. Throws like write_file_atomic.
void write_answers(const std::string& path, const TensorMap& outputs, const std::vector<std::string>& names,
                   const std::vector<std::string>& classes);

}  // namespace mgd
