#!/usr/bin/env bash
# Prints the directory that holds etcd, kube-apiserver, kube-controller-manager and kubectl, and nothing else on stdout.
# They are one binary, built once from hack/controlplane into bin/controlplane/<version>-<hash of what it is built from>.
# KUBEBUILDER_ASSETS, when set, is checked and printed instead.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
module=$here/controlplane

die() { echo "controlplane: $*" >&2; exit 1; }

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  for program in etcd kube-apiserver kubectl; do
    [ -x "$KUBEBUILDER_ASSETS/$program" ] || die "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS has no executable $program"
  done
  echo "$KUBEBUILDER_ASSETS"
  exit 0
fi

version=$(awk '$1 == "k8s.io/kubernetes" {print $2; exit}' "$module/go.mod")
[ -n "$version" ] || die "no k8s.io/kubernetes in $module/go.mod"
minor=${version#v1.}; minor=${minor%%.*}
hash=$(cat "$module/go.sum" "$module/main.go" | sha256sum | cut -c1-12)
root=${here%/hack}/bin/controlplane
directory=$root/$version-$hash

if [ ! -x "$directory/kubectl" ]; then
  mkdir -p "$root"
  # Two builders at a time would need twice the memory: the second one waits and finds the work done.
  exec 9>"$root/.lock"
  flock 9
fi
if [ ! -x "$directory/kubectl" ]; then
  echo "controlplane: building Kubernetes $version (about 5 minutes, once) ..." >&2
  temporary=$(mktemp -d -p "$root")
  trap 'rm -rf "$temporary"' EXIT
  stamp=k8s.io/component-base/version
  # Without the optimiser it builds a third faster and runs a quarter slower, which suits a control plane for tests.
  (cd "$module" && CGO_ENABLED=0 go build -mod=readonly -trimpath -gcflags='all=-N -l' \
    -ldflags "-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor" \
    -o "$temporary/controlplane" .) >&2 || die "the build failed"
  for program in etcd kube-apiserver kube-controller-manager kubectl; do
    ln -s controlplane "$temporary/$program"
  done
  "$temporary/kubectl" version --client >/dev/null || die "the built kubectl does not run"
  chmod 755 "$temporary"
  rm -rf "$directory"
  mv "$temporary" "$directory"
fi
echo "$directory"
