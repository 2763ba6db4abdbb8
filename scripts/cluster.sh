#!/usr/bin/env bash
# cluster.sh - a private PostgreSQL cluster in a directory of its own.
#
#   cluster.sh start DIR [setting=value...]   create it if it is not there, recover it, start it
#   cluster.sh stop DIR [fast|immediate]      stop it if it runs
#   cluster.sh with [setting=value...] -- COMMAND...
#                                             a throw-away cluster for one command: PGHOST, PGPORT and PGUSER are set
#
# DIR/data is the data directory, DIR/socket the name of the socket directory (short, in /tmp: a socket's path may have
# 107 bytes), DIR/postgres.log what the server says. It listens on its socket only; whoever may enter the socket
# directory (the server's user and root) is trusted. As root the server runs as the user that lib.sh's server_user names.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

port=${RUN_PGPORT:-54329}

# Is a postmaster running on this data directory? postmaster.pid alone does not tell: after a crash its number may have
# become another process's, even another postmaster's.
running()
{
  local pid
  pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) || return 1
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = postgres ] || return 1
  [ "$(as_user "$user" readlink "/proc/$pid/cwd")" = "$(readlink -f "$1/data")" ]
}

create()
{
  local dir=$1
  # An initdb that was interrupted leaves data.new, never data.
  rm -rf "$dir/data.new"
  (cd / && as_user "$user" "$pg_bin/initdb" -D "$dir/data.new" -U postgres --auth=trust --encoding=UTF8 \
    --locale=C.UTF-8 --no-instructions >"$dir/initdb.log" 2>&1) || die "initdb failed; it said:
$(cat "$dir/initdb.log")"
  mv "$dir/data.new" "$dir/data"
}

# A directory in /tmp with a name that says whose it is; nobody else's directory of that name is ever used.
socket_directory()
{
  local dir=$1 name
  name=$(cat "$dir/socket" 2>/dev/null || true)
  if [ -z "$name" ] || [ -L "$name" ] || [ "$(stat -c %U "$name" 2>/dev/null)" != "$user" ]; then
    name=$(as_user "$user" mktemp -d /tmp/collab-XXXXXX)
    say "$name" >"$dir/socket"
  fi
  say "$name"
}

start()
{
  local dir=$1 socket tries=0
  shift
  mkdir -p "$dir"
  [ "$EUID" != 0 ] || chown "$user" "$dir"
  [ -d "$dir/data" ] || create "$dir"
  if running "$dir"; then
    stop "$dir" fast
  fi
  socket=$(socket_directory "$dir")
  # What a killed postmaster left behind. Its number may be a zombie's or another process's, which would stop PostgreSQL from
  # taking the lock files for the stale ones that they are.
  rm -f "$dir/data/postmaster.pid" "$socket"/.s.PGSQL.*
  {
    printf "listen_addresses = ''\nport = %s\nunix_socket_directories = '%s'\n" "$port" "$socket"
    printf '%s\n' "$@"
  } >"$dir/data/collab.conf"
  grep -qs "^include 'collab.conf'" "$dir/data/postgresql.conf" ||
    printf "include 'collab.conf'\n" >>"$dir/data/postgresql.conf"
  [ "$EUID" != 0 ] || chown "$user" "$dir/data/collab.conf"
  # After a kill -9 the last backends may need a moment to leave the shared memory.
  until (cd / && as_user "$user" "$pg_bin/pg_ctl" start -s -w -t 120 -D "$dir/data" -l "$dir/postgres.log") \
    >"$dir/start.log" 2>&1 </dev/null; do
    tries=$((tries + 1))
    if [ $tries -ge 10 ] || ! grep -qs "pre-existing shared memory block" "$dir/postgres.log"; then
      die "PostgreSQL does not start; the end of $dir/postgres.log:
$(tail -n 15 "$dir/postgres.log" 2>/dev/null || cat "$dir/start.log")"
    fi
    sleep 1
  done
}

stop()
{
  local dir=$1 mode=${2:-fast}
  running "$dir" || return 0
  (cd / && as_user "$user" "$pg_bin/pg_ctl" stop -s -w -t 60 -m "$mode" -D "$dir/data") ||
    (cd / && as_user "$user" "$pg_bin/pg_ctl" stop -s -w -t 20 -m immediate -D "$dir/data")
}

remove_temporary()
{
  stop "$temporary" immediate || true
  rm -rf "$temporary" "$(cat "$temporary/socket" 2>/dev/null)"
}

with()
{
  local settings=() status=0
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    settings+=("$1")
    shift
  done
  [ $# -gt 1 ] || die "usage: cluster.sh with [setting=value...] -- COMMAND..."
  shift
  temporary=$(mktemp -d /tmp/collab-cluster-XXXXXX)
  chmod 755 "$temporary"
  trap remove_temporary EXIT
  trap 'exit 130' INT TERM HUP
  # Nothing in it outlives the command, so nothing in it needs to reach the disk.
  start "$temporary" fsync=off "${settings[@]}"
  PGHOST=$(cat "$temporary/socket") PGPORT=$port PGUSER=postgres "$@" || status=$?
  if [ $status != 0 ] && [ -n "${KEEP_LOG:-}" ]; then
    cp "$temporary/postgres.log" "$KEEP_LOG" || true
  fi
  exit $status
}

find_postgres
user=$(server_user)
command=${1:-}
shift || true
case $command in
  start | stop)
    [ -n "${1:-}" ] || die "usage: cluster.sh $command DIR"
    "$command" "$@"
    ;;
  with) with "$@" ;;
  *) die "usage: cluster.sh start|stop DIR, or cluster.sh with -- COMMAND" ;;
esac
