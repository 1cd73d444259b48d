# Sourced by the other scripts: the project's folder, and stages with a time and a log.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
export DEBIAN_FRONTEND=noninteractive

say() { printf '%s\n' "$*"; }

# environment_error TEXT: something this machine lacks (exit code 78, as in the program itself).
environment_error() {
  printf '%s\n' "$*" >&2
  exit 78
}

# How far a stage is: the last "[done/total]" of its log, as ninja counts, and the seconds it has taken.
_progress() {
  local name=$1 log=$2 seconds=$3 count
  count=$(tail -c 2000 "$log" 2>/dev/null | grep -ao '\[[0-9]*/[0-9]*\]' | tail -n 1 | tr -d '[]') || true
  if [ -t 1 ]; then
    printf '\r\033[K[%s] %s%s s; its log: build/logs/%s.log' "$name" "${count:+$count, }" "$seconds" "$name"
  else
    say "[$name] ${count:+$count, }$seconds s ..."
  fi
}

# Says how far the stage is until it is killed: every second on a terminal, every ten elsewhere.
_watch() {
  local name=$1 log=$2 start=$SECONDS pause=10
  [ ! -t 1 ] || pause=1
  # A sleep that outlives its killed parent must not hold open what ours is piped into.
  while sleep "$pause" >/dev/null 2>&1; do _progress "$name" "$log" $((SECONDS - start)); done
}

# stage NAME COMMAND...: runs a command or function with its output in build/logs/NAME.log and prints one line with the
# time, and before that how far it is. A failure shows the end of the log and ends the script with the command's status.
stage() {
  local name=$1 log=$root/build/logs/$1.log start=$SECONDS status watcher
  shift
  mkdir -p "$root/build/logs"
  : >"$log"
  _watch "$name" "$log" &
  watcher=$!
  # Not `cmd || status=$?`: that would switch `set -e` off inside a function.
  set +e
  (set -euo pipefail && "$@") >"$log" 2>&1 </dev/null
  status=$?
  kill "$watcher" && wait "$watcher" 2>/dev/null
  set -e
  [ ! -t 1 ] || printf '\r\033[K'
  if [ "$status" -eq 0 ]; then
    say "[$name] $((SECONDS - start)) s"
    return
  fi
  {
    say "[$name] failed after $((SECONDS - start)) s (exit code $status); the end of build/logs/$name.log:"
    tail -n 40 "$log" | sed 's/^/  | /'
    say "whole log: $log"
  } >&2
  exit "$status"
}

# apt_packages GROUP...: the packages of these groups, each once.
apt_packages() {
  local group
  for group in "$@"; do
    awk -v group="$group" '!/^#/ && $2 == group { print $1 }' "$root/scripts/apt-packages.txt"
  done | sort -u
}

# missing_packages GROUP...: those that dpkg does not have.
missing_packages() {
  local package
  for package in $(apt_packages "$@"); do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || say "$package"
  done
}

_apt_install() {
  # Fresh images come without package lists; otherwise the lists may only be too old.
  compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null || "${as_root[@]}" apt-get update
  "${as_root[@]}" apt-get install -y --no-install-recommends "$@" ||
    { "${as_root[@]}" apt-get update && "${as_root[@]}" apt-get install -y --no-install-recommends "$@"; }
}

# ensure_packages GROUP...: does nothing, and needs no rights, when all are there.
ensure_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    say "[packages] not a Debian system: install the equivalents of scripts/apt-packages.txt yourself"
    return
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  if [ ${#missing[@]} -eq 0 ]; then
    say "[packages] all there"
    return
  fi
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || environment_error "[packages] missing, and installing them needs root. Run this once, then again what you ran:
  sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends ${missing[*]}'"
    as_root=(sudo -n --preserve-env=DEBIAN_FRONTEND)
  fi
  say "[packages] installing ${missing[*]}"
  stage packages _apt_install "${missing[@]}"
}
