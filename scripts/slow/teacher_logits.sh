#!/usr/bin/env bash
# A real teacher through the whole program: the logits of `mgd predict --json --logits` on the first test images of
# CIFAR-10 must be those of an independent PyTorch program.
# Usage: teacher_logits.sh MGD TEACHER.safetensors CIFAR10.tar.xz [COUNT]
# MGD: the program. TEACHER: option-A CIFAR ResNet-56. Environment: PYTHON (default python3; needs torch, safetensors,
# Pillow).
set -euo pipefail

if [[ $# -lt 3 || $# -gt 4 ]]; then
  sed -n '2,6p' "$0" >&2
  exit 2
fi
mgd=$1 teacher=$2 archive=$3 count=${4:-256}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

"$python" "$here/../fixtures/make_teacher_logits.py" "$teacher" "$archive" "$temp/expected.json" "$count"
"$python" "$here/teacher_logits.py" prepare "$teacher" "$archive" "$temp/expected.json" "$temp"
"$mgd" predict "$temp/model" "$temp/images" --json --logits >"$temp/got.jsonl"
"$python" "$here/teacher_logits.py" compare "$temp/expected.json" "$temp/got.jsonl"
