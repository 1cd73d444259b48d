#!/usr/bin/env bash
# A real teacher through the whole program. The logits of `mgd predict --json --logits` on the first test images of
# CIFAR-10 must be those of an independent PyTorch program, and `mgd eval` must give the known accuracy, the same from a
# bare weights file and from a model folder, from an archive and from an unpacked folder. Minutes.
# Usage: teacher_logits.sh MGD TEACHER.safetensors CIFAR10.tar.xz [COUNT [ACCURACY]]
# MGD: the program. TEACHER: option-A CIFAR ResNet-56. COUNT: images whose logits are compared, default 256. ACCURACY:
# default 0.8998. Environment: PYTHON (default python3; needs torch, safetensors, Pillow).
set -euo pipefail

if [[ $# -lt 3 || $# -gt 5 ]]; then
  sed -n '2,8p' "$0" >&2
  exit 2
fi
mgd=$1 teacher=$2 archive=$3 count=${4:-256} accuracy=${5:-0.8998}
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT

"$python" "$here/../fixtures/make_teacher_logits.py" "$teacher" "$archive" "$temp/expected.json" "$count"
"$python" "$here/teacher_logits.py" prepare "$teacher" "$archive" "$temp/expected.json" "$temp"
"$mgd" predict "$temp/model" "$temp/images" --json --logits >"$temp/got.jsonl"
"$python" "$here/teacher_logits.py" compare "$temp/expected.json" "$temp/got.jsonl"

"$mgd" eval "$teacher" --data "$archive" --json --quiet >"$temp/file-archive.json"
"$mgd" eval "$teacher" --data "$temp/data" --json --quiet >"$temp/file-folder.json"
"$mgd" eval "$temp/model" --data "$archive" --json --quiet >"$temp/model-archive.json"
"$mgd" eval "$temp/model" --data "$temp/data" --json --quiet >"$temp/model-folder.json"
"$python" "$here/teacher_logits.py" evaluations "$accuracy" "$temp"/{file,model}-{archive,folder}.json
