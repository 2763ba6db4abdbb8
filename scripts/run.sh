#!/usr/bin/env bash
# run.sh - the demo: installs what is missing, builds, starts a private cluster, the proxy and the archiver, prints the URL, and
# stops it all on Ctrl-C. PORT=n chooses the port of the page, RESET=1 begins with an empty database, PG_CONFIG= another PostgreSQL,
# RUN_DIR=DIR another place for the data.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$top"
start_log run.log

# Where data, logs and the daemons' configurations live: .run, or elsewhere if the server's user cannot come here.
choose_state()
{
  local owner
  state=${RUN_DIR:-$top/.run}
  if [ -z "${RUN_DIR:-}" ] && ! as_user "$user" test -r "$top/Makefile" -a -x "$top/build/proxy/collab-proxy" 2>/dev/null; then
    state=/var/tmp/collab-$(printf '%s' "$top" | cksum | cut -d' ' -f1)
    say "user $user cannot enter $top: the data is in $state"
  fi
  # In /var/tmp anybody may have put something of that name.
  if [ -L "$state" ]; then
    die "$state is a symbolic link: remove it"
  fi
  mkdir -p "$state"
  owner=$(stat -c %U "$state")
  if [ "$EUID" = 0 ] && [ "$owner" != root ] && [ "$state" = "$top/.run" ]; then
    user=$owner # whoever began with it goes on with it
  elif [ "$owner" != "$(id -un)" ] && [ "$owner" != "$user" ]; then
    die "$state belongs to $owner: run this as $owner, or remove it"
  fi
  export SERVER_USER=$user
  chown "$user" "$state"
  chmod 700 "$state"
}

# A copy of what the daemons need where their user can read it; the originals where that is possible.
choose_files()
{
  binaries=$top/build
  www=$top/client/dist
  if ! as_user "$user" test -r "$www" -a -x "$binaries/proxy/collab-proxy" 2>/dev/null; then
    rm -rf "$state/files"
    mkdir -p "$state/files/proxy" "$state/files/archiver"
    cp "$binaries/proxy/collab-proxy" "$state/files/proxy/"
    cp "$binaries/archiver/collab-archiver" "$state/files/archiver/"
    cp -rL "$www" "$state/files/demo"
    chown -R "$user" "$state/files"
    binaries=$state/files
    www=$state/files/demo
  fi
}

# is_ours NAME PID: does that daemon of ours have this number?
is_ours()
{
  { tr '\0' ' ' <"/proc/$2/cmdline"; } 2>/dev/null | grep -qF "collab-$1 --config $state/$1.conf"
}

# end_daemon NAME PID: asks it to end in order, and does not wait for ever.
end_daemon()
{
  local i
  kill -TERM "$2" 2>/dev/null || return 0
  for ((i = 0; i < 100; i++)); do
    is_ours "$1" "$2" || return 0
    sleep 0.1
  done
  kill -KILL "$2" 2>/dev/null || true
}

# Daemons that a killed run.sh left behind.
end_leftovers()
{
  local name old
  for name in proxy archiver; do
    old=$(cat "$state/$name.pid" 2>/dev/null || true)
    if [ -n "$old" ] && is_ours "$name" "$old"; then
      end_daemon "$name" "$old"
    fi
  done
}

stop_all()
{
  trap '' INT TERM HUP
  if [ -n "${proxy:-}" ]; then
    end_daemon proxy "$proxy"
    rm -f "$state/proxy.pid"
  fi
  if [ -n "${archiver:-}" ]; then
    end_daemon archiver "$archiver"
    rm -f "$state/archiver.pid"
  fi
  "$top/scripts/cluster.sh" stop "$state" fast 9>&- || true
  say "stopped"
}

port_is_taken()
{
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

choose_port()
{
  if [ -n "${PORT:-}" ]; then
    ! port_is_taken "$PORT" || die "port $PORT is taken"
    return
  fi
  for ((PORT = 8080; PORT < 8180; PORT++)); do
    port_is_taken "$PORT" || return 0
  done
  die "no free port from 8080 to 8179; choose one with PORT="
}

# The install script may change while its version does not, during development; the database then holds the old objects.
note_changed_script()
{
  local sums
  sums=$(cat sql/collab--*.sql | cksum)
  if [ ! -e "$state/sql.cksum" ]; then
    say "$sums" >"$state/sql.cksum"
  elif [ "$sums" != "$(cat "$state/sql.cksum")" ]; then
    say "note: the install script has changed since the demo's database was made; RESET=1 makes a new one"
  fi
}

write_configs()
{
  mkdir -p "$state/cold"
  cat >"$state/archiver.conf" <<END
# Written by make run at each start.
database = "host=$socket port=$pgport dbname=collab user=collab_archiver"
store_dir = "$state/cold"
END
  cat >"$state/proxy.conf" <<END
# Written by make run at each start.
listen_address = 127.0.0.1
listen_port = $PORT
database = "host=$socket port=$pgport dbname=collab user=collab_proxy"
auth = none
static_dir = "$www"
END
  [ "$EUID" != 0 ] || chown "$user" "$state/proxy.conf" "$state/archiver.conf" "$state/cold"
}

# healthy: does the proxy answer, with its database connected?
healthy()
{
  local answer
  answer=$( { exec 3<>"/dev/tcp/127.0.0.1/$PORT" && printf 'GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3 && timeout 2 cat <&3; } 2>/dev/null) || true
  [[ $answer == *'"database":"up"'* ]]
}

# start_daemon NAME: its number is in $! afterwards.
start_daemon()
{
  local prefix
  become "$user"
  "${prefix[@]}" setsid "$binaries/$1/collab-$1" --config "$state/$1.conf" >"$state/$1.log" 2>&1 </dev/null 9>&- &
  say "$!" >"$state/$1.pid"
}

start_proxy()
{
  local i
  start_daemon proxy
  proxy=$!
  for ((i = 0; i < 200; i++)); do
    ! healthy || return 0
    kill -0 "$proxy" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$state/proxy.log" >&2
  die "collab-proxy does not answer; its log is $state/proxy.log"
}

prepare "build run" epan

user=$(server_user)
choose_state
exec 9>"$state/lock"
flock -n 9 || die "it runs already: $(cat "$state/url" 2>/dev/null)"
trap stop_all EXIT
trap 'exit 0' INT TERM HUP

end_leftovers
if [ -n "${RESET:-}" ]; then
  "$top/scripts/cluster.sh" stop "$state" immediate 9>&-
  rm -rf "$state/data" "$state/cold" "$state/sql.cksum"
fi
pgport=${RUN_PGPORT:-54329}
export RUN_PGPORT=$pgport
step "private PostgreSQL cluster" "$top/scripts/cluster.sh" start "$state" shared_preload_libraries=collab 9>&-
socket=$(cat "$state/socket")
step "database" env PGHOST="$socket" PGPORT="$pgport" "$top/scripts/demo-database.sh" 9>&-
note_changed_script
choose_files
choose_port
write_configs
# The demo page shows how to reach its database.
psql=psql
command -v psql >/dev/null || psql=$pg_bin/psql
psql="$psql -h $socket -p $pgport -U postgres collab"
say "{\"psql\": \"$psql\"}" >"$www/demo.json"
start_proxy
start_daemon archiver
archiver=$!

url=http://127.0.0.1:$PORT/
say "$url" >"$state/url"
cat <<END

  demo page   $url
  psql        $psql
  logs        $state/postgres.log, $state/proxy.log, $state/archiver.log

Ctrl-C stops it; what was written stays for the next time.
END
status=0
wait "$proxy" || status=$?
tail -n 20 "$state/proxy.log" >&2
die "collab-proxy ended by itself with status $status"
