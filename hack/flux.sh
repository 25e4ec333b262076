#!/usr/bin/env bash
# Prints the directory that holds Flux's kustomize-controller and, in crds/, the CustomResourceDefinitions that it reads, and nothing else on stdout.
# Both are made once from the Go modules that hack/flux pins, into bin/flux/<version>-<hash of what they are made from>.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
module=$here/flux

die() { echo "flux: $*" >&2; exit 1; }

version=$(awk '$1 == "github.com/fluxcd/kustomize-controller" {print $2; exit}' "$module/go.mod")
[ -n "$version" ] || die "no github.com/fluxcd/kustomize-controller in $module/go.mod"
hash=$(cat "$module/go.mod" "$module/go.sum" | sha256sum | cut -c1-12)
root=${here%/hack}/bin/flux
directory=$root/$version-$hash

if [ ! -x "$directory/kustomize-controller" ]; then
  generator=$("$here/tool.sh" controller-gen)
  mkdir -p "$root"
  # Two builders at a time would need twice the memory: the second one waits and finds the work done.
  exec 9>"$root/.lock"
  flock 9
fi
if [ ! -x "$directory/kustomize-controller" ]; then
  echo "flux: building kustomize-controller $version (about 3 minutes, once) ..." >&2
  temporary=$(mktemp -d -p "$root")
  trap 'rm -rf "$temporary"' EXIT
  (cd "$module" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags='-s -w' -o "$temporary/" github.com/fluxcd/kustomize-controller) >&2 ||
    die "the build failed"
  # The definitions are made from the types, because the module of source-controller, which has them as files, does not build with this version of Go.
  (cd "$module" && "$generator" crd paths=github.com/fluxcd/source-controller/api/v1 paths=github.com/fluxcd/kustomize-controller/api/v1 \
    output:crd:dir="$temporary/crds") >&2 || die "making the definitions failed"
  "$temporary/kustomize-controller" --help 2>&1 | grep -q -- --health-addr || die "the built kustomize-controller does not run"
  chmod 755 "$temporary"
  rm -rf "$directory"
  mv "$temporary" "$directory"
fi
echo "$directory"
