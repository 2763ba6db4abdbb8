#!/usr/bin/env bash
# node-test.sh DIR... - node's test runner over the *.test.mjs and *.test.js files of the directories, one file at a time.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

find_postgres
cd "$top"
for dir in "$@"; do
  [ -d "$dir" ] || die "there is no directory $dir"
done
mapfile -t files < <(find "$@" -name node_modules -prune -o \( -name '*.test.mjs' -o -name '*.test.js' \) -print | sort)
[ ${#files[@]} -gt 0 ] || die "no *.test.mjs or *.test.js in $*"

# `timeout` makes a process group of its own: with it everything that a file started ends, also when we are told to.
running=
trap '[ -z "$running" ] || kill -TERM "$running"; exit 143' INT TERM HUP
status=0
# One by one: the machine is small, and several files start servers.
for file in "${files[@]}"; do
  timeout -k 10 600 node --test --test-reporter=tap "$file" &
  running=$!
  if ! wait "$running"; then
    say "$file failed"
    status=1
  fi
done
exit $status
