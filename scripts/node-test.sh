#!/usr/bin/env bash
# node-test.sh [-j N] DIR... - node's test runner over the *.test.mjs and *.test.js files of the directories, N files at a time (1).
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# The machine is small, and many files start servers that want all of it: several at once is for those that mostly wait.
jobs=1
if [ "${1:-}" = -j ]; then
  jobs=$2
  shift 2
fi

find_postgres
cd "$top"
for dir in "$@"; do
  [ -d "$dir" ] || die "there is no directory $dir"
done
mapfile -t files < <(find "$@" -name node_modules -prune -o \( -name '*.test.mjs' -o -name '*.test.js' \) -print | sort)
[ ${#files[@]} -gt 0 ] || die "no *.test.mjs or *.test.js in $*"

outputs=$(mktemp -d)
declare -A running=() # file by process
trap 'rm -rf "$outputs"' EXIT
# `timeout` makes a process group of its own: with it everything that a file started ends, also when we are told to.
trap '[ ${#running[@]} = 0 ] || { kill -TERM "${!running[@]}"; wait "${!running[@]}" || true; cat "$outputs"/*; }; exit 143' INT TERM HUP
status=0

# What a file says is shown as a whole, when it has ended.
finish_one()
{
  local pid failed=0 file
  wait -n -p pid "${!running[@]}" || failed=1
  file=${running[$pid]}
  unset "running[$pid]"
  cat "$outputs/$pid"
  rm -f "$outputs/$pid"
  if [ $failed = 1 ]; then
    say "$file failed"
    status=1
  fi
}

for file in "${files[@]}"; do
  [ ${#running[@]} -lt "$jobs" ] || finish_one
  exec timeout -k 10 600 node --test --test-reporter=tap "$file" >"$outputs/$BASHPID" 2>&1 &
  running[$!]=$file
done
while [ ${#running[@]} -gt 0 ]; do
  finish_one
done
exit $status
