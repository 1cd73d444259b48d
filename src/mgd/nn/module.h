// A tree of named parameters and buffers. Names are the ecosystem's by construction: the path of children
// joined by dots, then the tensor's own name, e.g. "layer1.0.bn2.running_mean".
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mgd {

enum class TensorKind { weight, bias, norm, buffer };  // norm and bias may be exempt from weight decay

struct NamedTensor {
  std::string name;
  at::Tensor tensor;  // shares storage with the module: writing into it writes into the module
  TensorKind kind = TensorKind::weight;
};

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  std::vector<NamedTensor> parameters() const;  // trainable, in order of definition
  std::vector<NamedTensor> buffers() const;     // statistics that travel with the weights
  std::vector<NamedTensor> state() const;       // both, in the order of definition within each module

  const std::string& path() const { return path_; }  // "" for the root
  void set_path(const std::string& path);  // done once by whoever finishes the root; names the nodes
  void set_requires_grad(bool requires_grad);
  // Call after requires_grad has been set tensor by tensor: what has parameters, none of which trains, and
  // whatever lies below it is in evaluation mode from now on, in every pass.
  void settle_frozen();
  bool frozen() const { return frozen_; }
  void for_each(const std::function<void(Module&)>& visit);  // this one, then all below it
  Module* find(const std::string& path);  // below this one, by layer path; nullptr when there is none
  void to(at::Device device);
  void to(at::ScalarType dtype);  // floating-point tensors only
  void to_channels_last();        // the layout of convolution weights that channels-last activations want
  std::int64_t num_parameters() const;

 protected:
  at::Tensor& add_parameter(const std::string& name, at::Tensor value, TensorKind kind);
  at::Tensor& add_buffer(const std::string& name, at::Tensor value);
  template <class M>
  M& add_child(const std::string& name, std::unique_ptr<M> child) {
    M& reference = *child;
    children_.emplace_back(name, std::move(child));
    return reference;
  }
  template <class M, class... Args>
  M& make_child(const std::string& name, Args&&... args) {
    return add_child(name, std::make_unique<M>(std::forward<Args>(args)...));
  }

 private:
  void settle_frozen(bool above);
  template <class Visit>
  void visit(const std::string& prefix, const Visit& visit_tensor) const;

  std::string path_;
  bool frozen_ = false;
  // unique_ptr keeps the addresses of the tensors stable: layers hold references to them.
  std::vector<std::unique_ptr<NamedTensor>> tensors_;
  std::vector<std::pair<std::string, std::unique_ptr<Module>>> children_;
};

}  // namespace mgd
