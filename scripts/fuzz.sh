#!/usr/bin/env bash
# fuzz.sh SECONDS: builds the fuzz targets with clang and runs each for SECONDS, starting from tests/fuzz/corpus/NAME.
# New inputs go to build/fuzz/corpus/NAME; an input that crashes is kept in build/fuzz/found.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
seconds=${1:-60}
cd "$root"
command -v clang++ >/dev/null || environment_error "fuzz.sh: clang++ is missing: scripts/setup.sh fuzz"
scripts/build.sh fuzz
mkdir -p build/fuzz/found
shopt -s nullglob
programs=(build/fuzz/fuzz_*)
[ ${#programs[@]} -gt 0 ] || { say "[fuzz] no targets"; exit 0; }
for program in "${programs[@]}"; do
  name=${program##*/fuzz_}
  mkdir -p "build/fuzz/corpus/$name"
  corpora=("build/fuzz/corpus/$name")
  [ ! -d "tests/fuzz/corpus/$name" ] || corpora+=("tests/fuzz/corpus/$name")
  # -timeout and -rss_limit_mb: a hang or an allocation far beyond the input is a finding like a crash.
  stage "fuzz-$name" "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=65536 \
    -artifact_prefix="build/fuzz/found/$name-" -print_final_stats=1 "${corpora[@]}"
done
