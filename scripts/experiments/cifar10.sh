#!/usr/bin/env bash
# The CIFAR-10 tables of docs/results.md: ways to train a small CIFAR ResNet, three seeds each, on 1,000 images a class.
#
#   scripts/experiments/cifar10.sh DATA.tar.xz TEACHER.safetensors OUT_DIR [METHOD ...]
#
# Every run is resumable: start the script again and it goes on where it was stopped. In the environment can be given: SEEDS,
# EPOCHS, DEVICE (cpu or cuda), JOBS (runs at a time), STUDENT (cifar_resnet8), PER_CLASS (1000; 0 = all images), CACHE (folder of
# the teacher's outputs; "" = the teacher runs in every step), VIEWS, THREADS, WINOGRAD (false), SECOND (folder of a second teacher)
# and MGD (the program).
set -euo pipefail
data=$1 teacher=$2 out=$3
shift 3
methods=("$@")
[ ${#methods[@]} -gt 0 ] || methods=(alone kd mimic mgd mgd-kd mgd-kd-input)
program=${MGD:-build/release/mgd}
mkdir -p "$out"

ce='{name: cross_entropy}'
ce_small='{name: cross_entropy, weight: 0.1}'
kd='{name: kd, weight: 0.9, temperature: 4}'
mimic='{name: mimic, weight: 1.0}'
mgd='{name: mgd, weight: 1.0, weight_on: mean, mask: channel, mask_ratio: 0.15}'
blocks='masks=[{node: input, mask: block, size: 4, mask_ratio: 0.25}]'
# Before the last activation of each stage, and the pooled vector.
stages_small='[layer1.0.bn2, layer2.0.bn2, layer3.0.bn2, pool]'
stages='[layer1.8.bn2, layer2.8.bn2, layer3.8.bn2, pool]'

run() {  # METHOD SEED
  local method=$1 seed=$2 run=$out/$1-$2 verb=distill losses extra=() resume=()
  local cache=train.teacher_cache=${CACHE-$out/teacher-cache}
  local with_teacher=(teacher.model=cifar_resnet56 "teacher.weights=$(realpath "$teacher")" "$cache")
  case $method in
    alone) losses="[$ce]" verb=train with_teacher=(teacher.model= teacher.weights=) ;;
    kd) losses="[$ce_small, $kd]" ;;
    # A second teacher: SECOND is its folder (a run of `mgd train` with student.model=wrn_16_2), alone and beside the first.
    kd-second) losses="[$ce_small, $kd]" with_teacher=(teacher.model= teacher.weights= "teacher.path=$(realpath "$SECOND")" "$cache") ;;
    kd-both) losses="[$ce_small, $kd]" with_teacher=(teacher.model= teacher.weights= "$cache"
      "teachers=[{name: first, model: cifar_resnet56, weights: $(realpath "$teacher")}, {name: second, path: $(realpath "$SECOND")}]") ;;
    mimic) losses="[$ce, $mimic]" ;;
    mgd) losses="[$ce, $mgd]" ;;
    mgd-kd) losses="[$ce_small, $kd, $mgd]" ;;
    std-kd) losses="[$ce_small, {name: kd, standardize: true}]" ;;
    dkd) losses="[$ce, {name: dkd, beta: 2}]" ;;
    dist) losses="[$ce, {name: dist, temperature: 4, beta: 2, gamma: 2}]" ;;
    nkd) losses="[$ce, {name: nkd}]" ;;
    pkd) losses="[$ce, {name: pkd, student_tap: layer3, teacher_tap: layer3}]" ;;
    review) losses="[$ce, {name: review, weight: 0.6, student_tap: $stages_small, teacher_tap: $stages}]" ;;
    mgd-student) losses="[$ce, {name: mgd, weight: 1.0, weight_on: mean, mask: student, mask_ratio: 0.15}]" ;;
    mgd-kd-input) losses="[$ce_small, $kd, $mgd]" extra=("$blocks") ;;
    *) echo "unknown method $method" >&2; return 2 ;;
  esac
  [ ! -f "$run/summary.json" ] || return 0
  [ ! -d "$run/checkpoints" ] || resume=(--resume)
  echo "[$(date +%H:%M:%S)] $method seed $seed ${resume[*]}"
  "$program" $verb cifar10-resnet56-resnet8 "data.path=$(realpath "$data")" "data.per_class=${PER_CLASS:-1000}" \
    "student.model=${STUDENT:-cifar_resnet8}" "${with_teacher[@]}" "losses=$losses" "${extra[@]}" \
    "train.epochs=${EPOCHS:-30}" train.eval_every=5 "train.winograd=${WINOGRAD:-false}" "data.views=${VIEWS:-8}" "run.threads=${THREADS:-1}" \
    "run.device=${DEVICE:-cpu}" data.loader_threads=1 --run-dir "$run" --seed "$seed" "${resume[@]}"
}

failed=0
for seed in ${SEEDS:-1 2 3}; do
  for method in "${methods[@]}"; do
    if [ "${JOBS:-1}" -le 1 ]; then
      run "$method" "$seed"
    else
      while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do wait -n || failed=1; done
      run "$method" "$seed" > "$out/$method-$seed.log" 2>&1 &
    fi
  done
done
for job in $(jobs -p); do wait "$job" || failed=1; done
exit "$failed"
