// How one recorded operator of LibTorch is said in ONNX.
//
// An operator was recorded several times, in passes over inputs of several sizes. What differs between them
// follows the input; what is the same everywhere is a constant. A form asks for its arguments by their names
// in LibTorch's schema and emits nodes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "mgd/export/graph.h"
#include "mgd/export/record.h"

namespace mgd {

// A number that ONNX wants fixed differs between the passes.
class Varies : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

using Attributes = std::map<std::string, OnnxAttribute>;
using Ints = std::vector<std::int64_t>;

// What a form writes into: values of the graph by the tensors of each pass.
class Names {
 public:
  explicit Names(std::size_t passes) : seen_(passes) {}
  void set(std::size_t pass, const at::Tensor& tensor, const std::string& value);
  // The value's name; "" for one that was never written. Throws Varies when passes disagree.
  std::string find(std::span<const at::Tensor> tensors) const;

 private:
  std::vector<std::map<const void*, std::string>> seen_;
};

class FormContext {
 public:
  // op of each pass. state: names of the model's own tensors by their memory.
  FormContext(Graph& graph, Names& names, const std::map<const void*, std::string>& state,
              std::vector<const RecordedOp*> passes)
      : graph_(graph), names_(names), state_(state), passes_(std::move(passes)) {}

  const std::string& name() const { return passes_[0]->name; }
  bool given(const std::string& argument) const;  // there, and not None

  // A tensor, or a number where an operator takes either: the name of its value; "" when it is not given.
  std::string value(const std::string& argument);
  std::vector<std::string> values(const std::string& argument);  // of a list
  Ints sizes(const std::string& argument, std::size_t pass = 0) const;
  std::int64_t rank(const std::string& argument) const {
    return static_cast<std::int64_t>(sizes(argument).size());
  }

  // Fixed numbers: the same in every pass, otherwise Varies.
  std::int64_t integer(const std::string& argument) const;
  Ints integers(const std::string& argument) const;  // of a list; a single number is a list of one
  double number(const std::string& argument, double absent = 0) const;
  bool flag(const std::string& argument) const;
  std::string text(const std::string& argument) const;                          // "" when it is not given
  std::int64_t axis(const std::string& argument, const std::string& of) const;  // 0 ... rank - 1

  std::size_t passes() const { return passes_.size(); }
  const at::Tensor& output(std::size_t pass = 0, std::size_t index = 0) const;
  std::size_t outputs() const { return passes_[0]->outputs.size(); }

  std::string constant(const at::Tensor& tensor);
  std::string constant(const Ints& numbers);  // int64 (n)
  std::string scalar(double number);          // of the graph's own type, without dimensions
  // A node; the names of its outputs are made up and replaced in the end.
  std::string emit(const std::string& op, std::vector<std::string> inputs, Attributes attributes = {});
  std::vector<std::string> emit_many(const std::string& op, std::vector<std::string> inputs,
                                     std::size_t outputs, Attributes attributes = {});
  void result(const std::string& value, std::size_t index = 0);  // what the operator gave back

 private:
  const c10::IValue* argument(const RecordedOp& op, const std::string& name) const;
  const c10::IValue& required(const std::string& name) const;
  std::string value_of(std::span<const at::Tensor> tensors);

  Graph& graph_;
  Names& names_;
  const std::map<const void*, std::string>& state_;
  std::vector<const RecordedOp*> passes_;
};

struct Form {
  const char* op;  // "aten::conv2d"; in place, "aten::conv2d_", it is the same
  void (*write)(FormContext&);
};

// Every operator that has a form; nullopt for others.
std::optional<Form> find_form(const std::string& op);

// Parts of that list, a file each.
std::span<const Form> layer_forms();       // convolutions, pools, norms, products
std::span<const Form> arithmetic_forms();  // number by number, and reductions
std::span<const Form> shape_forms();       // what moves numbers without changing them

}  // namespace mgd
