#!/usr/bin/env bash
# Runs every check, also after one has failed, and fails if any did.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh lint
status=0
for check in scripts/check_format.sh scripts/check_arrows.py scripts/check_sizes.py scripts/check_docs.py; do
  run=()
  [ "${check%.py}" = "$check" ] || run=(python3)
  name=${check##*/check_}
  if "${run[@]}" "$check"; then
    echo "[lint ${name%.*}] ok"
  else
    echo "[lint ${name%.*}] failed"
    status=1
  fi
done
exit "$status"
