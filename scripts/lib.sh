# shellcheck shell=bash
# lib.sh - what the scripts share: messages, steps with a log, root rights, unprivileged users, PostgreSQL's place.

set -euo pipefail

# A script started from make must not take part in that make's job server.
unset MAKEFLAGS MFLAGS MAKELEVEL

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say()
{
  printf '%s\n' "$*"
}

die()
{
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# step "what" command...: one line of progress; the command's output goes to $log (set by the caller), whose end is
# shown when it fails.
step()
{
  local what=$1 started=$SECONDS
  : "${log:?}"
  shift
  printf '%-58s' "$what ..."
  printf '\n== %s: %s\n' "$what" "$*" >>"$log"
  if "$@" >>"$log" 2>&1 </dev/null; then
    printf ' done (%d s)\n' $((SECONDS - started))
  else
    printf ' FAILED\n'
    tail -n 20 "$log" | sed 's/^/  | /' >&2
    die "$what failed; everything it said is in $log"
  fi
}

# as_root command...: directly, or through sudo.
as_root()
{
  if [ "$EUID" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -- "$@"
  else
    die "this needs root rights and there is no sudo: $* (run it as root once)"
  fi
}

# become USER: sets the array `prefix` to what makes a command run as that user, with that user's home. Every word of it
# replaces itself by the next, so the process keeps its number and gets its signals.
become()
{
  prefix=()
  if [ "$1" != "$(id -un)" ]; then
    prefix=(setpriv --reuid="$1" --regid="$(id -g "$1")" --init-groups
      env HOME="$(getent passwd "$1" | cut -d: -f6)" USER="$1" LOGNAME="$1")
  fi
}

as_user()
{
  local prefix
  become "$1"
  shift
  "${prefix[@]}" "$@"
}

# The user who owns the source files builds them, so that root leaves no files behind that the owner cannot touch.
build_user()
{
  local owner
  owner=$(stat -c %U "$top")
  if [ "$EUID" = 0 ] && [ "$owner" != UNKNOWN ] && as_user "$owner" test -w "$top" 2>/dev/null; then
    say "$owner"
  else
    id -un
  fi
}

as_builder()
{
  as_user "${builder:=$(build_user)}" "$@"
}

# PostgreSQL refuses to run as root: as root it runs as SERVER_USER, as the person behind sudo, as the owner of the
# source or as Debian's postgres user, whichever there is first.
server_user()
{
  local user
  if [ "$EUID" != 0 ]; then
    id -un
    return
  fi
  for user in "${SERVER_USER:-}" "${SUDO_USER:-}" "$(stat -c %U "$top")" postgres; do
    if [ -n "$user" ] && [ "$user" != root ] && id -u "$user" >/dev/null 2>&1; then
      say "$user"
      return
    fi
  done
  die "no unprivileged user to run PostgreSQL as: create a user named postgres"
}

# The PostgreSQL that is built against and run: PG_CONFIG's, by default Debian's 15.
find_postgres()
{
  if [ -z "${PG_CONFIG:-}" ]; then
    PG_CONFIG=/usr/lib/postgresql/15/bin/pg_config
    [ -x "$PG_CONFIG" ] || PG_CONFIG=$(command -v pg_config) || die "no pg_config found; say where with PG_CONFIG="
  fi
  export PG_CONFIG
  pg_bin=$("$PG_CONFIG" --bindir)
  [ -x "$pg_bin/postgres" ] || die "$PG_CONFIG belongs to no PostgreSQL server (nothing at $pg_bin/postgres)"
}

version()
{
  sed -n "s/^default_version *= *'\([^']*\)'.*/\1/p" "$top/collab.control"
}

# project_files [PATTERN...]: the project's own files, one a line, relative to the top; a source archive has no git to ask.
project_files()
{
  if git -c safe.directory="$top" -C "$top" rev-parse --git-dir >/dev/null 2>&1; then
    git -c safe.directory="$top" -C "$top" ls-files -co --exclude-standard -- "$@" |
      while read -r file; do [ ! -f "$top/$file" ] || say "$file"; done
  else
    (cd "$top" && find . \( -name node_modules -o -path ./build -o -path ./.run -o -path ./results \) -prune -o -type f -print) |
      sed 's|^\./||' | while read -r file; do
      for pattern in "${@:-*}"; do
        # shellcheck disable=SC2254 # it is a pattern
        case $file in $pattern) say "$file" && break ;; esac
      done
    done
  fi
}

# prepare "WHAT FOR" "PARTS": the packages for deps.sh's WHAT FOR, then the parts among e(xtension, installed), p(roxy),
# a(rchiver) and n(pm packages, client), each as a step. Sets PG_CONFIG.
prepare()
{
  local purposes parts=$2
  read -r -a purposes <<<"$1"
  step "packages" "$top/scripts/deps.sh" "${purposes[@]}"
  find_postgres
  cd "$top"
  if [[ $parts == *e* ]]; then
    step "extension ($("$PG_CONFIG" --version | cut -d' ' -f1,2))" \
      as_builder make -s PG_CONFIG="$PG_CONFIG" with_llvm=no all
    step "installing the extension" "$top/scripts/install.sh"
  fi
  if [[ $parts == *p* ]]; then
    step "proxy" as_builder make -s proxy
  fi
  if [[ $parts == *a* ]]; then
    step "archiver" as_builder make -s archiver
  fi
  if [[ $parts == *n* ]]; then
    step "npm packages, client" as_builder "$top/scripts/npm.sh" test client
  fi
}

# start_log NAME: $log becomes build/NAME, empty.
start_log()
{
  log=$top/build/$1
  as_builder mkdir -p "${log%/*}"
  rm -f "$log"
}
