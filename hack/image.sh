#!/usr/bin/env bash
# Builds the Dockerfile of a directory, as it is, without a Docker engine and without an image registry: with buildah, in a
# chroot, on stand-ins for its base images. golang is the host's Go behind a busybox shell; distroless is its users and
# certificates. Then runs the manager in the image, as the image's user.
# Usage: hack/image.sh CONTEXT TAG    environment: VERSION (stamped into the manager), OUTPUT (also write a docker archive there)
# Prints user, entry point and environment of the image as JSON on stdout; everything else goes to stderr. Needs root, or subordinate user ids.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
context=${1:?usage: hack/image.sh CONTEXT TAG} tag=${2:?usage: hack/image.sh CONTEXT TAG}
version=${VERSION:-dev}
base_build=docker.io/library/golang:1.26 base_run=gcr.io/distroless/static:nonroot

die() { echo "image: $*" >&2; exit 1; }

ensure_tools() {
  local missing=()
  command -v buildah >/dev/null || missing+=(buildah)
  [ -x /bin/busybox ] || missing+=(busybox-static)
  [ -f /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get >/dev/null || die "missing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y --no-install-recommends "${missing[@]}" >&2 ||
    { apt-get update >&2 && apt-get install -y --no-install-recommends "${missing[@]}" >&2; } || die "cannot install: ${missing[*]}"
}

# Images live below a directory of this run, so that two runs do not meet and nothing stays behind.
state=$(mktemp -d)
driver=vfs
image() { buildah --root "$state/root" --runroot "$state/run" --storage-driver "$driver" "$@"; }
cleanup() {
  image rm --all >/dev/null 2>&1 || true
  image rmi --all --force >/dev/null 2>&1 || true
  rm -rf "$state"
}
trap cleanup EXIT

choose_driver() {
  local probe
  driver=overlay
  if probe=$(image from scratch 2>/dev/null) && image mount "$probe" >/dev/null 2>&1; then
    image rm "$probe" >/dev/null
    return
  fi
  driver=vfs # slower, works everywhere
}

# stand_in NAME TREE OPTION... commits a directory as a base image.
stand_in() {
  local name=$1 tree=$2 container; shift 2
  container=$(image from scratch)
  image add -q "$container" "$tree" / >/dev/null
  image config "$@" "$container"
  image commit -q --rm "$container" "$name" >/dev/null
}

stand_in_golang() {
  local tree=$state/golang applet
  mkdir -p "$tree"/{bin,usr/bin,usr/local/go,etc/ssl/certs,tmp,root,go}
  chmod 1777 "$tree/tmp"
  cp /bin/busybox "$tree/bin/busybox"
  for applet in $(/bin/busybox --list); do [ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"; done
  cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
  echo 'root:x:0:0::/root:/bin/sh' >"$tree/etc/passwd"
  echo 'root:x:0:' >"$tree/etc/group"
  stand_in "$base_build" "$tree" --workingdir /go --env HOME=/root --env GOPATH=/go --env GOTOOLCHAIN=local \
    --env PATH=/go/bin:/usr/local/go/bin:/usr/bin:/bin --env "GOPROXY=$(go env GOPROXY)" --env "GOSUMDB=$(go env GOSUMDB)"
}

stand_in_distroless() {
  local tree=$state/distroless
  mkdir -p "$tree"/{etc/ssl/certs,home/nonroot,tmp}
  chmod 1777 "$tree/tmp"
  chown 65532:65532 "$tree/home/nonroot"
  printf '%s\n' root:x:0:0:root:/root:/sbin/nologin nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin \
    nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin >"$tree/etc/passwd"
  printf '%s\n' root:x:0: nobody:x:65534: nonroot:x:65532: >"$tree/etc/group"
  cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
  stand_in "$base_run" "$tree" --user 65532:65532 --workingdir /home/nonroot --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
}

# The host's modules and build cache are lent to the build; without them it would take minutes.
build() {
  local modules cache
  modules=$(go env GOMODCACHE) cache=$(go env GOCACHE)
  mkdir -p "$modules" "$cache"
  image bud --isolation chroot --pull-never --network host --layers=false --build-arg "VERSION=$version" \
    -v "$(go env GOROOT):/usr/local/go:ro" -v "$modules:/go/pkg/mod" -v "$cache:/root/.cache/go-build" \
    -t "$tag" "$context" >&2
}

# list is a template that writes one list of the image's configuration as JSON; buildah's templates cannot by themselves.
list() { echo "[{{range \$i, \$item := .OCIv1.Config.$1}}{{if \$i}},{{end}}{{printf \"%q\" \$item}}{{end}}]"; }

# prove runs the manager in the image, as the user that the image names.
prove() {
  local user entrypoint container said
  user=$(image inspect --type image --format '{{.OCIv1.Config.User}}' "$tag")
  [ "$user" = 65532:65532 ] || die "the image runs as user '$user', not as 65532:65532"
  entrypoint=$(image inspect --type image --format "$(list Entrypoint)" "$tag")
  [ "$entrypoint" = '["/manager"]' ] || die "the image's entry point is $entrypoint, not [\"/manager\"]"
  container=$(image from --pull-never "$tag")
  said=$(image run --isolation chroot "$container" -- /manager --version) || die "the manager in the image does not run"
  image rm "$container" >/dev/null
  echo "image: $tag: user $user, entry point $entrypoint, --version says: $said" >&2
  grep -qF "$version" <<<"$said" || die "the manager in the image does not say its version, $version"
}

ensure_tools
choose_driver
stand_in_golang
stand_in_distroless
build
prove
if [ -n "${OUTPUT:-}" ]; then
  rm -f "$OUTPUT"
  image push -q "$tag" "docker-archive:$OUTPUT:$tag" >&2
fi
image inspect --type image --format "{\"user\":{{printf \"%q\" .OCIv1.Config.User}},\"entrypoint\":$(list Entrypoint),\"env\":$(list Env)}" "$tag"
echo
