#!/usr/bin/env bash
# Photos without labels: a quarter-width ResNet-18 learns from an ImageNet EfficientNet-Lite0 that never saw their classes, then
# sees the labels of all of them, or of 20 a class.
#
#   scripts/experiments/trashnet_unlabelled.sh trashnet.tar tf_efficientnet_lite0.safetensors OUT_DIR
#
# A seed: NAME-SEED without labels, probed (probe-all.json, probe-20.json), NAME-fine20-SEED trained on from it, alone20-SEED from scratch.
# Resumable. In the environment: SEEDS, EPOCHS (40), VIEWS (8), LOSSES, NAME, MGD (the program).
set -euo pipefail
data=$(realpath "$1") weights=$(realpath "$2") out=$3
program=${MGD:-build/release/mgd} name=${NAME:-features}
logits='{name: kd, weight: 1, temperature: 2}'
vectors='{name: cosine, student_tap: pool, teacher_tap: pool}, {name: similarity, student_tap: pool, teacher_tap: pool}'
losses=${LOSSES:-"[$logits, $vectors]"}
mkdir -p "$out"
printf 'task: classify\n' > "$out/empty.yaml"

run() {  # VERB RUN ARGUMENTS...
  local verb=$1 folder=$out/$2 resume=()
  shift 2
  [ ! -f "$folder/summary.json" ] || return 0
  [ ! -d "$folder/checkpoints" ] || resume=(--resume)
  echo "[$(date +%H:%M:%S)] $folder"
  "$program" "$verb" "$out/empty.yaml" "data.path=$data" 'data.augment=[random_resized_crop: {min_scale: 0.35}, flip]' \
    train.optimizer=adamw train.weight_decay=0.05 train.decay_norm_bias=false data.image_size=128 train.winograd=true run.threads=1 \
    data.loader_threads=1 train.warmup_epochs=2 --run-dir "$folder" --seed "$seed" "$@" "${resume[@]}"
}
small=(student.model=resnet18 student.width=0.25)

for seed in ${SEEDS:-1 2 3}; do
  run distill "$name-$seed" "${small[@]}" data.labels=none data.crop_pct=1 "data.views=${VIEWS:-8}" data.validation=0.05 \
    teacher.model=tf_efficientnet_lite0 "teacher.weights=$weights" teacher.image_size=224 "train.teacher_cache=$out/cache" \
    "losses=$losses" "train.epochs=${EPOCHS:-40}" train.batch_size=64 train.lr=2e-3
  for labels in 0 20; do
    json=$out/$name-$seed/probe-$labels.json
    [ -f "$json" ] || "$program" probe "$out/$name-$seed/student" "$data" --per-class $labels --json > "$json"
  done
  labelled=(data.per_class=20 'losses=[cross_entropy]' train.epochs=100 train.batch_size=32)
  run train "$name-fine20-$seed" "${labelled[@]}" "student.path=$(realpath "$out/$name-$seed/student")" student.head=fresh train.lr=5e-4
  run train "alone20-$seed" "${small[@]}" "${labelled[@]}" train.lr=2e-3
done
