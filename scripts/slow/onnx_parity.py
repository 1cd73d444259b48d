#!/usr/bin/env python3
"""Every architecture as ONNX at two sizes: onnx.checker accepts the file, and ONNX Runtime's logits are the model's.

    scripts/slow/onnx_parity.py build/release/test_export [MODEL ...]

Needs a Python with numpy, onnx and onnxruntime. The files are written by test_export, a process a model.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime

MOST = 1e-4  # relative to the largest logit of a sample


def difference(got, expected):
    return (numpy.abs(got - expected).max(1) / numpy.abs(expected).max(1)).max()


def write(test, folder, models):
    env = dict(os.environ, MGD_ONNX_FOLDER=str(folder))
    if models:
        env["MGD_ONNX_MODELS"] = ",".join(models)
    done = subprocess.run([test, "--gtest_filter=OnnxParity.*", "--gtest_brief=1"], env=env, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout + done.stderr)
    return done.returncode == 0


def judge(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for file in sorted(path.parent.glob(f"{path.stem}-*.in.npy")):
        got = session.run(None, {"input": numpy.load(file)})[0]
        worst = max(worst, difference(got, numpy.load(str(file).replace(".in.npy", ".out.npy"))))
    return worst, len(model.graph.node), [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]


def main():
    test, models = sys.argv[1], sys.argv[2:]
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        failed += not write(test, folder, models)
        for path in sorted(folder.glob("*.onnx")):
            worst, nodes, dims = judge(path)
            failed += not worst <= MOST
            print(f"{path.stem:36} {worst:9.2e} {nodes:5} nodes  {'x'.join(map(str, dims))}{'' if worst <= MOST else '   FAILED'}", flush=True)
            path.unlink()
    print("failed" if failed else "ok")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
