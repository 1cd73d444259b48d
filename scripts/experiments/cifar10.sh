#!/usr/bin/env bash
# The CIFAR-10 table of docs/results.md: six ways to train cifar_resnet8, three seeds each, on 1,000 images a class.
#
#   scripts/experiments/cifar10.sh DATA.tar.xz TEACHER.safetensors OUT_DIR [METHOD ...]
#
# Every run is resumable: start the script again and it goes on where it was stopped. SEEDS, EPOCHS and MGD (the program) can be
# given in the environment.
set -euo pipefail
data=$1 teacher=$2 out=$3
shift 3
methods=("$@")
[ ${#methods[@]} -gt 0 ] || methods=(alone kd mimic mgd mgd-kd mgd-kd-input)
program=${MGD:-build/release/mgd}

ce='{name: cross_entropy}'
ce_small='{name: cross_entropy, weight: 0.1}'
kd='{name: kd, weight: 0.9, temperature: 4}'
mimic='{name: mimic, weight: 1.0}'
mgd='{name: mgd, weight: 1.0, weight_on: mean, mask: channel, mask_ratio: 0.15}'
blocks='masks=[{node: input, mask: block, size: 4, mask_ratio: 0.25}]'

for seed in ${SEEDS:-1 2 3}; do
  for method in "${methods[@]}"; do
    extra=()
    case $method in
      alone) losses="[$ce]" ;;
      kd) losses="[$ce_small, $kd]" ;;
      mimic) losses="[$ce, $mimic]" ;;
      mgd) losses="[$ce, $mgd]" ;;
      mgd-kd) losses="[$ce_small, $kd, $mgd]" ;;
      mgd-kd-input) losses="[$ce_small, $kd, $mgd]" extra=("$blocks") ;;
      *) echo "unknown method $method" >&2; exit 2 ;;
    esac
    run=$out/$method-$seed
    [ ! -f "$run/summary.json" ] || continue
    verb=distill
    with_teacher=(teacher.model=cifar_resnet56 "teacher.weights=$(realpath "$teacher")")
    if [ "$method" = alone ]; then verb=train with_teacher=(teacher.model= teacher.weights=); fi
    resume=()
    [ ! -d "$run/checkpoints" ] || resume=(--resume)
    echo "[$(date +%H:%M:%S)] $method seed $seed ${resume[*]}"
    "$program" $verb cifar10-resnet56-resnet8 "data.path=$(realpath "$data")" data.per_class=1000 "${with_teacher[@]}" \
      "losses=$losses" "${extra[@]}" "train.epochs=${EPOCHS:-30}" train.eval_every=5 "data.views=${VIEWS:-8}" \
      "train.teacher_cache=${CACHE:-$out/teacher-cache}" "run.threads=${THREADS:-1}" \
      data.loader_threads=1 --run-dir "$run" --seed "$seed" "${resume[@]}"
  done
done
