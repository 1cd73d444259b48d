#!/usr/bin/env bash
# What pictures without labels are worth: a small CIFAR ResNet learns from a teacher on a flat folder, then sees 100 labels a class.
#
#   scripts/experiments/unlabelled.sh CIFAR.tar.xz TEACHER.safetensors FLAT_FOLDER OUT_DIR
#
# FLAT_FOLDER holds the pictures without labels (scripts/experiments/flat_folder.py makes one). Three students a seed: alone on the
# labels, and the distilled one with a linear classifier on its frozen features (probe) and trained on (fine). Resumable. In the
# environment: SEEDS, EPOCHS (15), VIEWS (4), PER_CLASS (100), LOSSES, NAME of the distilled ones, MGD (the program).
set -euo pipefail
data=$(realpath "$1") teacher=$(realpath "$2") flat=$(realpath "$3") out=$4
program=${MGD:-build/release/mgd} per_class=${PER_CLASS:-100} name=${NAME:-kd}
losses=${LOSSES:-"[{name: kd, weight: 1, temperature: 4}]"}
mkdir -p "$out"

run() {  # VERB FOLDER ARGUMENTS...
  local verb=$1 folder=$out/$2 resume=()
  shift 2
  [ ! -f "$folder/summary.json" ] || return 0
  [ ! -d "$folder/checkpoints" ] || resume=(--resume)
  echo "[$(date +%H:%M:%S)] $folder"
  "$program" "$verb" cifar10-resnet56-resnet8 student.model=cifar_resnet8 train.winograd=true run.threads=1 data.loader_threads=1 \
    train.eval_every=5 --run-dir "$folder" --seed "$seed" "$@" "${resume[@]}"
}

for seed in ${SEEDS:-1 2 3}; do
  run distill "$name-$seed" data.labels=none "data.path=$flat" data.validation=0.05 teacher.model=cifar_resnet56 \
    "teacher.weights=$teacher" "train.teacher_cache=$out/cache" "losses=$losses" "train.epochs=${EPOCHS:-15}" "data.views=${VIEWS:-4}"
  [ -f "$out/$name-$seed/probe.json" ] || "$program" probe "$out/$name-$seed/student" "$data" --per-class "$per_class" --json \
    > "$out/$name-$seed/probe.json"
  labelled=("data.path=$data" "data.per_class=$per_class" teacher.model= teacher.weights= "losses=[cross_entropy]" data.views=0
    train.epochs=60)
  run train "$name-fine-$seed" "${labelled[@]}" student.model= "student.path=$(realpath "$out/$name-$seed/student")" train.lr=0.02
  run train "alone-$seed" "${labelled[@]}"
done
