"""Runs every ```sh block of README.md in a folder with two classes of pictures, a text and a program called mgd on the path.

    python3 tests/e2e/readme_test.py build/release/mgd
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

from pictures import write_folders

ROOT = pathlib.Path(__file__).resolve().parents[2]
MGD = pathlib.Path(sys.argv[1]).resolve()


def main():
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    assert len(blocks) == 4, f"expected four blocks of commands in README.md, found {len(blocks)}"
    with tempfile.TemporaryDirectory(prefix="mgd-readme-") as name:
        folder = pathlib.Path(name)
        (folder / "bin").mkdir()
        # Fewer epochs than a user would take: the commands are tested here, not the accuracy.
        (folder / "bin" / "mgd").write_text(
            f'#!/bin/sh\ncase $1 in train|distill) exec "{MGD}" "$@" train.epochs=2 train.batch_size=32 run.threads=1;; *) exec "{MGD}" "$@";; esac\n')
        (folder / "bin" / "mgd").chmod(0o755)
        write_folders(folder / "photos", ("rows", "columns"))
        (folder / "notes.txt").write_text("".join(f"the {who} sat on the {what}\n" for who in ("cat", "dog", "bird", "king", "child", "fly", "old man")
                                                  for what in ("mat", "wall", "roof", "stone", "chair", "throne", "grass")))
        # Weights of another network of other classes stand for what a user downloads.
        write_folders(folder / "others", ("up", "down", "left"), train=40)
        subprocess.run([MGD, "train", "others", "--student", "cifar_resnet8", "--run-dir", "before", "--threads", "1", "train.epochs=1"],
                       cwd=folder, check=True, capture_output=True)
        (folder / "before/model/model.safetensors").rename(folder / "pretrained.safetensors")
        path = f"{folder / 'bin'}:{os.environ['PATH']}"
        for block in blocks:
            done = subprocess.run(["bash", "-euxo", "pipefail", "-c", block], cwd=folder, env={**os.environ, "PATH": path},
                                  capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                print(done.stdout + done.stderr)
                sys.exit(f"a command of README.md failed with {done.returncode}")
        for made in ("runs/photos/teacher/model/model.safetensors", "runs/photos/student/model.safetensors", "runs/photos/report.html",
                     "runs/photos/recipe.yaml", "student.onnx", "runs/by-hand/student/model.safetensors", "runs/words/model/model.safetensors", "runs/smaller/student/model.safetensors"):
            assert (folder / made).exists(), made
    print("README.md: every command ran")


if __name__ == "__main__":
    main()
