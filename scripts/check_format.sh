#!/usr/bin/env bash
# Fails when a C++ file is not as .clang-format wants it; with --fix formats in place.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(--dry-run -Werror)
[ "${1:-}" != --fix ] || mode=(-i)
command -v clang-format >/dev/null || { echo "check_format: clang-format is missing: apt-get install clang-format" >&2; exit 78; }
find src tests examples bench -type f \( -name '*.h' -o -name '*.cpp' \) -print0 | sort -z | xargs -0 -r clang-format "${mode[@]}"
