#!/usr/bin/env bash
# Runs the tests of one built preset: test.sh [release|dev|asan|tsan]. The last line reads "N passed, N failed".
set -euo pipefail
source "$(dirname "$0")/lib.sh"
preset=${1:-release}
mkdir -p "$root/build/logs"
results=$root/build/logs/tests-$preset.xml
rm -f "$results"
status=0
# Sizes: the summary needs the end of what every test program prints.
ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error --output-junit "$results" \
  --test-output-size-passed 1000000 --test-output-size-failed 1000000 </dev/null || status=$?
python3 "$root/scripts/test_summary.py" "$results" || status=1
exit "$status"
