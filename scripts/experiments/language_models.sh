#!/usr/bin/env bash
# The tables "A masked pair" and "A causal pair" of docs/results.md: small language models, alone and distilled from larger ones.
#
#   scripts/experiments/language_models.sh masked TRAIN.txt TEST.txt OUT_DIR [ARM ...]
#   scripts/experiments/language_models.sh causal TEXT.txt OUT_DIR [ARM ...]
#
# masked: TRAIN.txt and TEST.txt are WikiText-2's validation and test part. causal: TEXT.txt is tinyshakespeare, whose first 90 % are for
# training. The vocabulary and the teacher are made first, in OUT_DIR. Every run is resumable: start the script again and it goes on.
# In the environment can be given: SEEDS, STEPS and TEACHER_STEPS, THREADS, and MGD (the program).
set -euo pipefail
program=${MGD:-build/release/mgd} kind=$1 cache=

go() {  # VERB RECIPE NAME SEED [OVERRIDE ...]
  local verb=$1 recipe=$2 run=$out/$3-$4 seed=$4 resume=()
  shift 4
  [ ! -f "$run/summary.json" ] || return 0
  [ ! -d "$run/checkpoints" ] || resume=(--resume)
  "$program" "$verb" "$recipe" "$@" "run.threads=${THREADS:-1}" --run-dir "$run" --seed "$seed" "${resume[@]}"
}

case $kind in
  masked)
    train=$(realpath "$2") test=$(realpath "$3") out=$4
    shift 4
    arms=("$@")
    [ ${#arms[@]} -gt 0 ] || arms=(alone kd kd+mgd kd+minilm)
    mkdir -p "$out/text"
    ln -sf "$train" "$out/text/train.txt"
    ln -sf "$test" "$out/text/test.txt"
    [ -d "$out/tokens" ] || "$program" tokenize --train "$train" --kind wordpiece --vocab-size 8000 --out "$out/tokens"
    cat > "$out/recipe.yaml" << YAML
task: mlm
data: {path: text, train: train.txt, test: test.txt, validation: 0}
text: {tokenizer: tokens, samples: packed, max_length: 128}
objective: {rule: exact, whole_word: true, mask_ratio: 0.15}
student: {model: bert, hidden_size: 128, layers: 2, heads: 2, dropout: 0}
train: {optimizer: adamw, lr: 1e-3, batch_size: 16, epochs: 1000, schedule: linear, warmup_epochs: 1, weight_decay: 0.01, clip_norm: 1, eval_every: 1000, export_weights: last}
YAML
    half='{name: cross_entropy, weight: 0.5}, {name: kd, weight: 0.5, temperature: 1}'
    steps=${STEPS:-1000} teacher_steps=${TEACHER_STEPS:-2000} teacher=(student.hidden_size=256 student.layers=4 student.heads=4)
    taps='student_tap: bert.encoder.layer.1, teacher_tap: bert.encoder.layer.3'
    losses() {
      case $1 in
        kd) echo "$half" ;;
        kd+mgd) echo "$half, {name: mgd, weight: 0.1, $taps}" ;;
        kd+minilm) echo "$half, {name: minilm, weight: 0.1, relation_heads: 4}" ;;
        kd+mimic) echo "$half, {name: mimic, weight: 0.1, $taps}" ;;
        *) echo "unknown arm $1" >&2; return 2 ;;
      esac
    }
    ;;
  causal)
    text=$(realpath "$2") out=$3
    shift 3
    arms=("$@")
    [ ${#arms[@]} -gt 0 ] || arms=(alone kd)
    mkdir -p "$out/text"
    size=$(wc -c < "$text")
    head -c $((size * 9 / 10)) "$text" > "$out/text/train.txt"
    tail -c $((size - size * 9 / 10)) "$text" > "$out/text/held-out.txt"
    [ -d "$out/tokens" ] || "$program" tokenize --train "$text" --kind char --out "$out/tokens"
    cat > "$out/recipe.yaml" << YAML
task: clm
data: {path: text, train: train.txt, validation: 0}
text: {tokenizer: tokens, validation: held-out.txt, format: file, samples: blocks, max_length: 64}
objective: {variants: 1}
student: {model: gpt2, hidden_size: 64, layers: 2, heads: 2, max_positions: 64, dropout: 0}
train: {optimizer: adamw, lr: 1e-3, beta2: 0.99, batch_size: 12, epochs: 1000, schedule: cosine, warmup_epochs: 0.08, final_lr_frac: 0.1, weight_decay: 0.1, clip_norm: 1, eval_every: 1000, export_weights: last}
YAML
    # One variant of the text's cuts: from the second epoch on the students learn from kept scores alone.
    cache=scores
    steps=${STEPS:-2000} teacher_steps=${TEACHER_STEPS:-2000} teacher=(student.hidden_size=128 student.layers=4 student.heads=4 objective.variants=0)
    losses() {
      case $1 in
        kd) echo '{name: cross_entropy, weight: 0.5}, {name: kd, weight: 0.5, temperature: 1}' ;;
        *) echo "unknown arm $1" >&2; return 2 ;;
      esac
    }
    ;;
  *) echo "masked or causal, not '$kind'" >&2; exit 2 ;;
esac

go train "$out/recipe.yaml" teacher 1 "${teacher[@]}" "train.max_steps=$teacher_steps"
for seed in ${SEEDS:-1 2 3}; do
  for arm in "${arms[@]}"; do
    if [ "$arm" = alone ]; then
      go train "$out/recipe.yaml" alone "$seed" "train.max_steps=$steps"
    else
      wanted=$(losses "$arm")
      go distill "$out/recipe.yaml" "$arm" "$seed" "train.max_steps=$steps" "teacher=$(realpath "$out/teacher-1/model")" "losses=[$wanted]" \
        ${cache:+"train.teacher_cache={path: $(realpath "$out")/$cache, top_k: 16}"}
    fi
  done
done
