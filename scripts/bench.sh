#!/usr/bin/env bash
# bench.sh [NAME...] - measures, and prints one table; BENCH_JSON=FILE also writes it as JSON. A benchmark is a folder of bench/
# with run.sh or run.mjs, which appends lines {"name", "value", "unit", "goal", "met"} to $BENCH_LINES (goal and met may be null).
# `peers`, the comparison with other servers, takes a quarter of an hour and runs only when it is named.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$top"
chosen=("$@")
if [ ${#chosen[@]} = 0 ]; then
  chosen=(disk core sql worker load history tiers large connections hot proxy redis)
fi
json=${BENCH_JSON:+$(readlink -f "$BENCH_JSON")}
start_log bench.log
prepare "build run bench" epan

BENCH_LINES=$top/build/bench-lines.json
as_builder rm -f "$BENCH_LINES"
export BENCH_LINES
failed=()
for name in "${chosen[@]}"; do
  say "== $name"
  if [ -x "bench/$name/run.sh" ]; then
    as_builder "bench/$name/run.sh" || failed+=("$name")
  elif [ -e "bench/$name/run.mjs" ]; then
    as_builder node "bench/$name/run.mjs" || failed+=("$name")
  else
    die "there is no benchmark bench/$name"
  fi
done
node bench/table.mjs "$BENCH_LINES" ${json:+"$json"}
[ ${#failed[@]} = 0 ] || die "failed: ${failed[*]}"
