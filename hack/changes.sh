#!/usr/bin/env bash
# Runs a command and fails when it changed, added or removed a file that git knows or would add.
# It compares before and after, not with the last commit, so that it also works in the middle of a change.
# Usage: hack/changes.sh COMMAND [ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/.."

state() { git ls-files --cached --others --exclude-standard | sort -u | while read -r file; do [ -f "$file" ] && sha256sum "$file"; done; true; }

before=$(mktemp) after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
state >"$before"
"$@"
state >"$after"
if ! diff <(awk '{print $2, $1}' "$before") <(awk '{print $2, $1}' "$after") >/dev/null; then
  echo "changes: these files were not up to date; commit them:" >&2
  diff "$before" "$after" | awk '/^[<>]/ {print "  " $3}' | sort -u >&2
  exit 1
fi
