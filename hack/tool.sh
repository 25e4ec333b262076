#!/usr/bin/env bash
# Prints the path of a developer tool, and nothing else on stdout. Usage: hack/tool.sh NAME
# A tool is built once from the Go module that pins it, into bin/tools/<name>-<hash of that module>,
# so a change of its go.sum builds it anew.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
name=${1:?usage: hack/tool.sh NAME}

die() { echo "tool: $*" >&2; exit 1; }

case $name in
  controller-gen) module=$here/tools package=sigs.k8s.io/controller-tools/cmd/controller-gen ;;
  crd-ref-docs) module=$here/tools package=github.com/elastic/crd-ref-docs ;;
  gotestsum) module=$here/tools package=gotest.tools/gotestsum ;;
  golangci-lint) module=$here/tools/golangci package=. ;;
  helm) module=$here/tools/helm package=helm.sh/helm/v3/cmd/helm ;;
  *) die "unknown tool $name; known: controller-gen crd-ref-docs gotestsum golangci-lint helm" ;;
esac

# A module of tools has no code of its own, except the linter with its plugin.
hash=$(find "$module" -maxdepth 1 -type f \( -name 'go.*' -o -name '*.go' \) | sort | xargs cat | sha256sum | cut -c1-12)
root=${here%/hack}/bin/tools
binary=$root/$name-$hash

if [ ! -x "$binary" ]; then
  mkdir -p "$root"
  exec 9>"$root/.$name.lock"
  flock 9
fi
if [ ! -x "$binary" ]; then
  echo "tool: building $name (once) ..." >&2
  temporary=$(mktemp -d -p "$root")
  trap 'rm -rf "$temporary"' EXIT
  (cd "$module" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags='-s -w' -o "$temporary/$name" "$package") >&2 ||
    die "building $name failed"
  mv "$temporary/$name" "$binary"
fi
echo "$binary"
