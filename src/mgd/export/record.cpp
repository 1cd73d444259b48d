// LibTorch is built with NDEBUG, and then never sets what the accessors of its header assert without it.
#ifndef NDEBUG
#define NDEBUG 1
#endif

#include "mgd/export/record.h"

#include <ATen/core/function_schema.h>
#include <ATen/core/grad_mode.h>
#include <ATen/record_function.h>

#include <memory>

namespace mgd {

namespace {

using Known = std::function<bool(const std::string&)>;

void collect(const c10::IValue& value, std::vector<at::Tensor>& tensors) {
  if (value.isTensor())
    tensors.push_back(value.toTensor());
  else if (value.isTensorList())
    for (const at::Tensor& tensor : value.toTensorVector()) tensors.push_back(tensor);
}

class Recorder {
 public:
  Recorder(OperatorRecord& record, const Known& is_known) : record_(record), is_known_(is_known) {}

  struct Call : at::ObserverContext {
    Recorder* recorder = nullptr;
    bool inside = false;  // of one that is recorded itself
    bool known = false;
    std::size_t begin = 0;  // of what it calls, among the steps
    RecordedOp op;
  };

  std::unique_ptr<at::ObserverContext> start(const at::RecordFunction& function) {
    auto call = std::make_unique<Call>();
    call->recorder = this;
    call->inside = depth_of_known_ > 0;
    if (call->inside) return call;
    call->op.name = function.name();
    call->known = is_known_(call->op.name);
    call->begin = record_.steps.size();
    depth_of_known_ += call->known ? 1 : 0;
    if (const auto schema = function.operator_schema()) {
      const auto values = function.inputs();
      for (std::size_t i = 0; i < values.size() && i < schema->arguments().size(); ++i)
        call->op.arguments.emplace_back(schema->arguments()[i].name(), values[i]);
    }
    return call;
  }

  void end(const at::RecordFunction& function, Call& call) {
    if (call.inside) return;
    depth_of_known_ -= call.known ? 1 : 0;
    for (const auto& value : function.outputs()) collect(value, call.op.outputs);
    if (!call.known) {
      bool all_known = record_.steps.size() > call.begin;
      for (std::size_t i = call.begin; i < record_.steps.size(); ++i)
        all_known = all_known && is_known_(record_.steps[i].op.name);
      if (all_known) return;
      record_.steps.resize(call.begin);
    }
    record_.steps.push_back({.op = std::move(call.op), .node = {}});
  }

 private:
  OperatorRecord& record_;
  const Known& is_known_;
  int depth_of_known_ = 0;
};

// LibTorch takes plain functions as observers, so the recorder of this thread is found here while one runs.
thread_local Recorder* active = nullptr;

std::unique_ptr<at::ObserverContext> on_start(const at::RecordFunction& function) {
  return active->start(function);
}

void on_end(const at::RecordFunction& function, at::ObserverContext* context) {
  auto& call = static_cast<Recorder::Call&>(*context);
  call.recorder->end(function, call);
}

class Recording {
 public:
  explicit Recording(Recorder& recorder) {
    active = &recorder;
    handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(on_start, on_end)
                                             .needsInputs(true)
                                             .needsOutputs(true)
                                             .scopes({at::RecordScope::FUNCTION}));
  }
  ~Recording() {
    at::removeCallback(handle_);
    active = nullptr;
  }
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

 private:
  at::CallbackHandle handle_;
};

}  // namespace

OperatorRecord record_pass(const Pass& pass, const Known& is_known) {
  const at::NoGradGuard no_grad;
  OperatorRecord record;
  record.inputs = pass.inputs;
  Recorder recorder(record, is_known);
  Forward forward(/*training=*/false);
  forward.observe([&](const std::string& name, const at::Tensor& tensor) {
    record.steps.push_back({.op = {}, .node = {name, tensor}});
  });
  const Recording recording(recorder);
  record.outputs = pass.run(record.inputs, forward);
  return record;
}

}  // namespace mgd
