#!/usr/bin/env bash
# deps.sh build|run|test|bench... - installs the Debian packages that are missing for it, and does nothing when none is.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

build="gcc make libc6-dev pkg-config libpq-dev libxxhash-dev libzstd-dev libwebsockets-dev libuv1-dev libhiredis-dev libcurl4-openssl-dev libssl-dev"
run="libwebsockets-evlib-uv"
test="libcmocka-dev openssl curl clang libclang-rt-14-dev clang-format-14 shellcheck git
  libtap-parser-sourcehandler-pgtap-perl chromium haproxy nginx-light prometheus redis-server strace"
bench="libjansson-dev redis-server"
# With PG_CONFIG the server is somebody else's business.
if [ -z "${PG_CONFIG:-}" ]; then
  build+=" postgresql-server-dev-15"
  run+=" postgresql-15"
  test+=" postgresql-15-pgtap"
fi

createcluster=/etc/postgresql-common/createcluster.conf
policy=/usr/sbin/policy-rc.d

apt_install()
{
  as_root env DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get install -y --no-install-recommends \
    -o Dpkg::Options::=--force-confold "$@"
}

installed()
{
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Installing Debian's server package creates a cluster named main and starts every cluster there is. This project brings its own and
# leaves the others alone, so while packages are installed both are switched off.
no_new_cluster()
{
  installed postgresql-common || apt_install postgresql-common
  as_root cp -p "$createcluster" "$createcluster.before-collab"
  echo "create_main_cluster = false" | as_root tee -a "$createcluster" >/dev/null
}

# The tests start balancers and redis-server themselves, and of the package prometheus they use promtool: no service is to run because
# of these packages.
no_new_services()
{
  [ ! -e "$policy" ] || return 0
  as_root install -m 755 /dev/stdin "$policy" <<'END'
#!/bin/sh
# placed by collab's scripts/deps.sh while it installs servers; removed afterwards
case "$1" in postgresql* | prometheus* | redis* | haproxy | nginx) exit 101 ;; esac
exit 0
END
}

restore_server_settings()
{
  if [ -e "$createcluster.before-collab" ]; then
    as_root mv "$createcluster.before-collab" "$createcluster"
  fi
  if grep -qs "placed by collab" "$policy"; then
    as_root rm -f "$policy"
  fi
}

# Any node of version 18 or newer does, wherever it comes from.
node_is_there()
{
  command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null
}

needed=()
for what in "$@"; do
  case $what in
    build) read -r -d '' -a packages <<<"$build" || true ;;
    run) read -r -d '' -a packages <<<"$run" || true ;;
    test) read -r -d '' -a packages <<<"$test" || true ;;
    bench) read -r -d '' -a packages <<<"$bench" || true ;;
    *) die "usage: deps.sh build|run|test|bench..." ;;
  esac
  needed+=("${packages[@]}")
done
if ! command -v dpkg-query >/dev/null; then
  say "this is no Debian system; if something is missing, install the equivalents of: ${needed[*]} nodejs npm"
  exit 0
fi

missing=()
for package in "${needed[@]}"; do
  installed "$package" || missing+=("$package")
done
node_is_there || missing+=(nodejs npm)
[ ${#missing[@]} -gt 0 ] || exit 0

say "packages to install: ${missing[*]}"
if [ "$EUID" != 0 ] && ! command -v sudo >/dev/null; then
  die "packages are missing, installing them needs root rights, and there is no sudo here. As root, run:
  apt-get install --no-install-recommends ${missing[*]}"
fi
# If the lists cannot be refreshed, those of last time may still do; if they do not, the installation says so.
as_root apt-get update || true
trap restore_server_settings EXIT
no_new_services
case " ${missing[*]} " in *" postgresql-15"*) no_new_cluster ;; esac
apt_install "${missing[@]}"
