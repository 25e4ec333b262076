#!/usr/bin/env bash
# What no linter checks: words that say "not finished" or "do not look", in every file that git knows or would add.
# Prints file:line: text for each and fails. Usage: hack/words.sh [DIRECTORY]
set -euo pipefail
cd "${1:-$(dirname "$0")/..}"

# The brackets keep this file from finding itself.
unfinished='TO[D]O|FI[X]ME|XX[X]|not (yet )?implemente[d]|placeholde[r]|coming soo[n]'
silenced='//[[:space:]]*nolin[t]'
# A generated file answers for its source.
generated='(^|/)zz_generated|^docs/api\.md$|^config/crd/bases/|(^|/)go\.sum$|^LICENSE$'

files() { git ls-files --cached --others --exclude-standard | grep -vE "$generated" | while read -r file; do [ -f "$file" ] && printf '%s\0' "$file"; done; true; }

found=0
check() { # check MEANING PATTERN [OPTION...]
  local meaning=$1 pattern=$2 lines; shift 2
  lines=$(files | xargs -0 -r grep -HInE "$@" -e "$pattern" || true)
  [ -z "$lines" ] && return
  printf '%s\n' "$lines" | sed "s/\$/ ($meaning)/"
  found=1
}
check 'unfinished' "$unfinished"
check 'lint silenced' "$silenced" --include='*.go'
exit "$found"
