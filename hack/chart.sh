#!/usr/bin/env bash
# Makes the generated parts of the Helm chart: copies of the CustomResourceDefinitions, of the admission policy and of the
# rules of the roles, which the templates read, so that nothing is written twice for Kustomize and for Helm; and the table of values in its README.
# Usage: hack/chart.sh [CHART]    CHART is the directory of the chart, by default charts/crm-rollout-operator
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
chart=${1:-$root/charts/crm-rollout-operator}
roles=(role leader_election_role metrics_auth_role metrics_reader_role policy_reader_role viewer_role editor_role)
admission=(policy binding)

die() { echo "chart: $*" >&2; exit 1; }

check_sources() {
  local role source
  for role in "${roles[@]}"; do
    source=$root/config/rbac/$role.yaml
    [ -f "$source" ] || die "no $source; make generate makes it from the markers in controllers/"
    # A template reads one object of a file. A second one would be a permission that the chart does not give.
    [ "$(grep -c '^kind: ' "$source")" = 1 ] || die "$source must hold exactly one object"
  done
  for source in "${admission[@]}"; do
    [ -f "$root/config/admission/$source.yaml" ] || die "no $root/config/admission/$source.yaml"
  done
  compgen -G "$root/config/crd/bases/*.yaml" >/dev/null || die "no CustomResourceDefinitions in $root/config/crd/bases"
}

copy_sources() {
  local role object
  # Emptied first, so that a definition that is gone does not stay in the chart.
  rm -rf "$chart/files"
  mkdir -p "$chart/files/crds" "$chart/files/rbac" "$chart/files/admission"
  cp "$root"/config/crd/bases/*.yaml "$chart/files/crds/"
  for role in "${roles[@]}"; do cp "$root/config/rbac/$role.yaml" "$chart/files/rbac/"; done
  for object in "${admission[@]}"; do cp "$root/config/admission/$object.yaml" "$chart/files/admission/"; done
}

# Writes one row for each value that has a comment "# -- meaning" above it.
values_table() {
  awk '
    BEGIN { print "| value | default | meaning |"; print "|---|---|---|" }
    /^ *# -- / { meaning = $0; sub(/^ *# -- /, "", meaning); gsub(/\|/, "\\|", meaning); next }
    /^ *[A-Za-z]+:/ {
      depth = (match($0, /[^ ]/) - 1) / 2
      line = substr($0, 2 * depth + 1)
      key = line; sub(/:.*/, "", key)
      standard = line; sub(/^[A-Za-z]+: */, "", standard)
      names[depth] = key
      if (meaning == "") next
      path = names[0]
      for (i = 1; i <= depth; i++) path = path "." names[i]
      printf "| `%s` | %s | %s |\n", path, standard == "" ? "see values.yaml" : "`" standard "`", meaning
      meaning = ""
    }' "$chart/values.yaml"
}

write_table() {
  local readme=$chart/README.md made
  grep -qx '<!-- values -->' "$readme" && grep -qx '<!-- /values -->' "$readme" || die "$readme has no lines <!-- values --> and <!-- /values -->"
  made=$(mktemp)
  { sed '/^<!-- values -->$/q' "$readme"; values_table; sed -n '/^<!-- \/values -->$/,$p' "$readme"; } >"$made"
  cat "$made" >"$readme" # keeps the file's mode
  rm -f "$made"
}

check_sources
copy_sources
write_table
