#!/usr/bin/env bash
# Distilling a sentence encoder without labels: the table "A sentence encoder, distilled without labels" of docs/results.md.
#
#   scripts/experiments/stsb.sh ENCODER DATA OUT_DIR [ARM ...]
#
# ENCODER: folder of all-MiniLM-L6-v2. DATA: sentences.txt (the sentences of STS-B's training part without their scores, and those of
# WikiText-2's validation part, each once), dev.jsonl and test.jsonl with `first`, `second` and `score`. Every run is resumable: start the
# script again and it goes on. In the environment can be given: SEEDS, EPOCHS (2), WEIGHT of the second loss (0.1), CACHE (a folder
# for the teacher's outputs; without it the teacher runs in every step) and MGD (the program).
set -euo pipefail
encoder=$(realpath "$1") data=$(realpath "$2") out=$3
shift 3
arms=("$@")
[ ${#arms[@]} -gt 0 ] || arms=(embedding minilm mimic mgd)
mkdir -p "$out"
cat > "$out/recipe.yaml" << YAML
task: embed
data: {path: $data, train: sentences.txt, test: test.jsonl}
text: {validation: dev.jsonl, columns: [first, second], target: score, max_length: 64}
teacher: $encoder
student: {from: teacher, layers: [0, 2, 5]}
losses: [{name: embedding}]
train: {optimizer: adamw, lr: 2e-4, batch_size: 32, epochs: ${EPOCHS:-2}, weight_decay: 0.01, schedule: cosine, clip_norm: 1}
run: {threads: 1}
YAML
for seed in ${SEEDS:-1 2 3}; do
  for arm in "${arms[@]}"; do
    run=$out/$arm-$seed losses='{name: embedding}' resume=()
    [ "$arm" = embedding ] || losses="$losses, {name: $arm, weight: ${WEIGHT:-0.1}}"
    [ ! -f "$run/summary.json" ] || continue
    [ ! -d "$run/checkpoints" ] || resume=(--resume)
    "${MGD:-build/release/mgd}" distill "$out/recipe.yaml" "losses=[$losses]" ${CACHE:+"train.teacher_cache=$(realpath -m "$CACHE")"} --run-dir "$run" --seed "$seed" "${resume[@]}"
  done
done
