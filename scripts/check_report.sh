#!/bin/sh
# Opens a report in headless Chromium and fails on any message of its console, or when nothing is drawn.
# usage: scripts/check_report.sh REPORT.html [SCREENSHOT.png]
# Without Chromium: says so and succeeds.
set -eu

report=${1:?usage: check_report.sh REPORT.html [SCREENSHOT.png]}
[ -f "$report" ] || { echo "check_report: no such file: $report" >&2; exit 66; }

browser=
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then browser=$name; break; fi
done
if [ -z "$browser" ]; then
  echo "check_report: skipped, no Chromium here"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
shot=${2:-$work/page.png}
# --no-sandbox: containers run as root; the page is a local file of ours.
timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
  --disable-background-networking --disable-component-update --disable-sync --hide-scrollbars \
  --user-data-dir="$work/profile" --window-size=1200,2400 --enable-logging=stderr --v=0 \
  --screenshot="$shot" "file://$(realpath "$report")" >"$work/log" 2>&1 || {
  echo "check_report: $browser failed:" >&2
  tail -n 5 "$work/log" >&2
  exit 1
}
# Lines of the page look like: [...:INFO:CONSOLE(1)] "message", source: file:///... (1)
if grep -E ':CONSOLE[:(]' "$work/log" >&2; then
  echo "check_report: the browser's console is not silent: $report" >&2
  exit 1
fi
[ -s "$shot" ] || { echo "check_report: nothing was drawn: $report" >&2; exit 1; }
echo "check_report: ok: $report"
