#!/usr/bin/env bash
# Configures and builds one preset: build.sh [release|dev|asan|tsan|fuzz [TARGET]]. The program is then build/PRESET/mgd.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
preset=${1:-release}
cd "$root"
options=()
[ -z "${MGD_LIBTORCH:-}" ] || options+=("-DMGD_LIBTORCH=$MGD_LIBTORCH")
stage "configure-$preset" cmake --preset "$preset" "${options[@]}"
if [ $# -gt 1 ]; then
  stage "build-$preset-$2" cmake --build "build/$preset" --target "$2"
else
  stage "build-$preset" cmake --build "build/$preset"
fi
