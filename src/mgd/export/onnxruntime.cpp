#include "mgd/export/onnxruntime.h"

#include <ATen/ops/empty.h>
#include <fmt/core.h>

#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/process.h"
#include "mgd/format/npy_write.h"

namespace mgd {

namespace {

// Arguments: the model, a folder with 0.npy, 1.npy, ..., the number of threads. Writes out-0.npy, ..., and
// one line of JSON.
constexpr const char* kScript = R"(
import json, pathlib, sys, time
import numpy, onnxruntime
model, folder, threads = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
options.log_severity_level = 3
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
count = 0
while (path := folder / f"{count}.npy").exists():
    numpy.save(folder / f"out-{count}.npy", session.run(None, {name: numpy.load(path)})[0])
    count += 1
one = numpy.load(folder / "0.npy")[:1]
times = []
for _ in range(40):
    start = time.perf_counter()
    session.run(None, {name: one})
    times.append(time.perf_counter() - start)
print(json.dumps({"latency_ms": 1000 * sorted(times)[len(times) // 2]}))
)";

// The last lines of what Python said, which name the mistake.
std::string last_lines(const std::string& text) {
  constexpr std::size_t kMost = 600;
  return text.size() <= kMost ? text : "... " + text.substr(text.size() - kMost);
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "mgd-export-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      fail(ExitCode::cannot_create, "{}: cannot be created: {}", name, std::strerror(errno));
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void save(const fs::path& file, const at::Tensor& batch) {
  const at::Tensor plain = batch.contiguous();
  const bool bytes = plain.scalar_type() == at::kByte;
  MGD_ASSERT(bytes || plain.scalar_type() == at::kFloat);
  std::string content = npy_header(bytes ? "u1" : "f4", plain.sizes().vec());
  content.append(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes());
  write_file_synced(file, content);
}

at::Tensor load(const fs::path& file) {
  const NumberArray array = read_npy(read_file(file), file.string());
  if (array.dtype != "f4")
    fail(ExitCode::internal, "{}: got numbers of type {}, expected f4", file.string(), array.dtype);
  at::Tensor tensor = at::empty(array.shape, at::kFloat);
  std::memcpy(tensor.mutable_data_ptr(), array.bytes.data(), array.bytes.size());
  return tensor;
}

}  // namespace

std::optional<OnnxRuntime> OnnxRuntime::find(std::string& why) {
  std::vector<std::string> candidates{".venv/bin/python", "python3"};
  if (const char* named = std::getenv("MGD_PYTHON"); named != nullptr && *named != '\0') candidates = {named};
  std::string tried;
  for (const auto& python : candidates) {
    const auto asked =
        run_process({python, "-c", "import numpy, onnxruntime; print(onnxruntime.__version__)"});
    if (asked.exit_code == 0) {
      const std::string version = asked.output.substr(0, asked.output.find('\n'));
      return OnnxRuntime(python, fmt::format("{} ({})", printable(version), python));
    }
    tried += (tried.empty() ? "" : ", ") + python;
  }
  why = "no Python with onnxruntime is found; tried " + tried +
        (candidates.size() > 1 ? "; $MGD_PYTHON may name one" : " ($MGD_PYTHON)");
  return std::nullopt;
}

RuntimeAnswers OnnxRuntime::run(const fs::path& model, const std::vector<at::Tensor>& batches,
                                int threads) const {
  MGD_ASSERT(!batches.empty());
  const TemporaryFolder folder;
  for (std::size_t i = 0; i < batches.size(); ++i) save(folder.path() / fmt::format("{}.npy", i), batches[i]);
  const auto done =
      run_process({python_, "-c", kScript, model.string(), folder.path().string(), std::to_string(threads)});
  if (done.exit_code != 0)
    fail(ExitCode::internal, "export: onnxruntime {} refuses the model: {}", version_,
         last_lines(done.errors));
  RuntimeAnswers answers;
  for (std::size_t i = 0; i < batches.size(); ++i)
    answers.outputs.push_back(load(folder.path() / fmt::format("out-{}.npy", i)));
  const auto said = nlohmann::json::parse(done.output, nullptr, /*allow_exceptions=*/false);
  if (said.is_object() && said.contains("latency_ms")) answers.latency_ms = said["latency_ms"];
  return answers;
}

}  // namespace mgd
