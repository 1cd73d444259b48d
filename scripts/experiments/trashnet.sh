#!/usr/bin/env bash
# The photo table of docs/results.md: a pretrained EfficientNet-Lite0 learns six kinds of rubbish, and a quarter-width ResNet-18
# learns from it, or alone.
#
#   scripts/experiments/trashnet.sh trashnet.tar tf_efficientnet_lite0.safetensors OUT_DIR [METHOD ...]
#
# Methods: alone, kd, mgd-kd. Every run is resumable: start the script again. In the environment: SEEDS, THREADS, MGD (the program).
set -euo pipefail
data=$(realpath "$1") weights=$(realpath "$2") out=$3
shift 3
methods=("$@")
[ ${#methods[@]} -gt 0 ] || methods=(alone kd mgd-kd)
program=${MGD:-build/release/mgd}
mkdir -p "$out"

augment='[random_resized_crop: {min_scale: 0.35}, flip]'
common=(train.optimizer=adamw train.weight_decay=0.05 train.decay_norm_bias=false "run.threads=${THREADS:-0}")

start() {  # RUN VERB KEY=VALUE...
  local run=$out/$1 verb=$2 resume=()
  shift 2
  [ ! -f "$run/summary.json" ] || return 0
  [ ! -d "$run/checkpoints" ] || resume=(--resume)
  echo "[$(date +%H:%M:%S)] $run ${resume[*]}"
  printf 'task: classify\n' > "$out/empty.yaml"
  "$program" "$verb" "$out/empty.yaml" --run-dir "$run" "${resume[@]}" "data.path=$data" "data.augment=$augment" "${common[@]}" "$@" \
    > "$run.log" 2>&1
}

start teacher train student.model=tf_efficientnet_lite0 "student.weights=$weights" data.cache_mb=3000 train.epochs=15 train.batch_size=32 \
  train.lr=1e-3 train.warmup_epochs=1 'losses=[{name: cross_entropy, label_smoothing: 0.1}]'

small=(student.model=resnet18 student.width=0.25 data.image_size=128 train.epochs=40 train.batch_size=64 train.lr=2e-3
  train.warmup_epochs=2 train.winograd=true)
taught=(data.crop_pct=1 data.views=20 "teacher.path=$out/teacher/model" teacher.image_size=224 "train.teacher_cache=$out/teacher-cache")
logits='{name: cross_entropy, weight: 0.3}, {name: kd, weight: 0.7, temperature: 2}'
maps='{name: mgd, weight: 0.0027, student_tap: layer3, teacher_tap: blocks.5, resize: true}'
for seed in ${SEEDS:-1 2 3}; do
  for method in "${methods[@]}"; do
    case $method in
      alone) start "alone-$seed" train "${small[@]}" "run.seed=$seed" ;;
      kd) start "kd-$seed" distill "${small[@]}" "${taught[@]}" "run.seed=$seed" "losses=[$logits]" ;;
      mgd-kd) start "mgd-kd-$seed" distill "${small[@]}" "${taught[@]}" "run.seed=$seed" "losses=[$logits, $maps]" ;;
      *) echo "unknown method $method" >&2; exit 2 ;;
    esac
  done
done
