#!/usr/bin/env bash
# Prints the path of a prometheus binary, and nothing else on stdout; promtool lies beside it.
# In this order: the one on PATH; Debian's, unpacked below bin/ (needs no root, starts no service); one built from hack/prometheus.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${here%/hack}/bin/prometheus

die() { echo "prometheus: $*" >&2; exit 1; }

runs() { [ -x "$1" ] && "$1" --version 2>&1 | grep -q '^prometheus, version'; }

from_debian() {
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
  echo "prometheus: unpacking Debian's package (once) ..." >&2
  local work; work=$(mktemp -d -p "$root")
  chmod 755 "$work"
  (cd "$work" && { apt-get download prometheus || { apt-get update && apt-get download prometheus; }; }) >&2 &&
    dpkg -x "$work"/prometheus_*.deb "$work/tree" >&2 && runs "$work/tree/usr/bin/prometheus" &&
    rm -rf "$root/debian" && mv "$work/tree" "$root/debian"
  local failed=$?
  rm -rf "$work"
  return "$failed"
}

from_modules() {
  echo "prometheus: building from hack/prometheus (about 5 minutes, once) ..." >&2
  local work; work=$(mktemp -d -p "$root")
  # Without the discovery of a dozen clouds it builds in half the time.
  (cd "$here/prometheus" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags='-s -w' -tags=remove_all_sd -o "$work/" \
    github.com/prometheus/prometheus/cmd/prometheus github.com/prometheus/prometheus/cmd/promtool) >&2 &&
    runs "$work/prometheus" && rm -rf "$built" && mv "$work" "$built"
  local failed=$?
  rm -rf "$work"
  return "$failed"
}

if found=$(command -v prometheus) && runs "$found"; then
  echo "$found"
  exit 0
fi
built=$root/$(cat "$here/prometheus/go.sum" | sha256sum | cut -c1-12)
for known in "$root/debian/usr/bin/prometheus" "$built/prometheus"; do
  if runs "$known"; then echo "$known"; exit 0; fi
done
mkdir -p "$root"
exec 9>"$root/.lock"
flock 9
for source in from_debian from_modules; do
  # The other one of two builders may have done it meanwhile.
  for known in "$root/debian/usr/bin/prometheus" "$built/prometheus"; do
    if runs "$known"; then echo "$known"; exit 0; fi
  done
  "$source" || echo "prometheus: $source did not work" >&2
done
for known in "$root/debian/usr/bin/prometheus" "$built/prometheus"; do
  if runs "$known"; then echo "$known"; exit 0; fi
done
die "none on PATH, none from Debian, none from modules"
