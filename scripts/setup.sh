#!/usr/bin/env bash
# Everything the build needs. setup.sh [build] [test] [digits] [lint] [fuzz]; without a word: build.
#   build   Debian packages and LibTorch        test    the above and the Python packages of tests and fixtures
#   digits  the digits data of the demo         lint, fuzz   their Debian packages
# Running it again changes nothing and takes a second.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
python=${PYTHON:-python3}

ensure_venv() {
  [ ! -x "$venv/bin/python" ] || "$venv/bin/python" -c '' 2>/dev/null || rm -rf "$venv"  # its Python has gone
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    stage venv make_venv
  fi
}

make_venv() {
  "$python" -m venv "$venv" || "$python" -m virtualenv "$venv" || /usr/bin/python3 -m venv --clear "$venv"
  "$venv/bin/python" -m pip --version
}

# pip_requirements NAME: scripts/requirements-NAME.txt into the environment, once for each content of that file.
pip_requirements() {
  local file=$root/scripts/requirements-$1.txt stamp=$venv/.installed-$1 key
  key=$(sha256sum <"$file")
  [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$key" ] || return 0
  # No index is named: pip's own configuration decides where packages come from.
  stage "pip-$1" "$venv/bin/python" -m pip install --disable-pip-version-check --no-input -r "$file"
  say "$key" >"$stamp"
}

# The folder of an importable torch of the wanted version, located and never imported; "" when there is none.
torch_of() {
  "$1" - "$(sed -n 's/^torch==//p' "$root/scripts/requirements-torch.txt")" 2>/dev/null <<'PY' || true
import importlib.metadata, importlib.util, sys
spec = importlib.util.find_spec("torch")
if spec and importlib.metadata.version("torch").split("+")[0] == sys.argv[1]:
    print(spec.submodule_search_locations[0])
PY
}

ensure_torch() {
  local given=${MGD_LIBTORCH:-${LIBTORCH:-}} found=
  if [ -n "$given" ]; then
    [ -f "$given/include/ATen/core/Tensor.h" ] ||
      environment_error "[torch] LIBTORCH: no include/ATen/core/Tensor.h in $given; expected an unpacked LibTorch"
    say "[torch] $given"
    return
  fi
  for candidate in "$venv/bin/python" "$python"; do
    found=$(torch_of "$candidate")
    if [ -n "$found" ]; then
      say "[torch] $found"
      return
    fi
  done
  ensure_venv
  say "[torch] installing $(cat "$root/scripts/requirements-torch.txt") into .venv with pip's own settings. pip's default index serves a"
  say "[torch] build with CUDA (several GB). For the CPU build point pip's index-url, extra-index-url or find-links (pip.conf,"
  say "[torch] PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS) at a place that holds the +cpu wheels, or set LIBTORCH to a LibTorch folder."
  rm -f "$venv/.installed-torch"
  pip_requirements torch
  [ -n "$(torch_of "$venv/bin/python")" ] || environment_error "[torch] pip ended well, but .venv has no torch"
}

digits=$root/.cache/digits/digits.csv.gz
digits_sha256=09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22

ensure_digits() {
  if [ "$(sha256sum 2>/dev/null <"$digits" | cut -d' ' -f1)" = "$digits_sha256" ]; then
    say "[digits] .cache/digits/digits.csv.gz"
    return
  fi
  ensure_venv
  stage digits fetch_digits
}

# The file is part of scikit-learn: from an installed one, else out of its wheel.
fetch_digits() {
  local scratch=$root/.cache/digits.part
  rm -rf "$scratch"
  mkdir -p "$scratch" "$root/.cache/digits"
  for candidate in "$venv/bin/python" "$python"; do
    "$candidate" "$root/scripts/extract_digits.py" "$scratch/digits.csv.gz" && break
  done
  if [ ! -f "$scratch/digits.csv.gz" ]; then
    "$venv/bin/python" -m pip download --disable-pip-version-check --no-input --no-deps --only-binary :all: \
      --dest "$scratch" scikit-learn
    "$venv/bin/python" "$root/scripts/extract_digits.py" "$scratch/digits.csv.gz" "$scratch"/*.whl
  fi
  echo "$digits_sha256  $scratch/digits.csv.gz" | sha256sum --check
  mv "$scratch/digits.csv.gz" "$digits"
  rm -rf "$scratch"
}

words=("$@")
[ $# -gt 0 ] || words=(build)
for word in "${words[@]}"; do
  case $word in
    build) ensure_packages build; ensure_torch ;;
    test) ensure_packages build; ensure_torch; ensure_venv; pip_requirements test ;;
    digits) ensure_digits ;;
    lint | fuzz) ensure_packages "$word" ;;
    *) say "setup.sh: got '$word', expected build, test, digits, lint or fuzz" >&2; exit 2 ;;
  esac
done
