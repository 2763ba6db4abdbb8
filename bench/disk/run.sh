#!/usr/bin/env bash
# run.sh - the disk under the temporary directory, where the other benchmarks' clusters live.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$top/build/bench"
gcc -O2 -o "$top/build/bench/fdatasync" "$top/bench/disk/fdatasync.c"
result=$("$top/build/bench/fdatasync" "${COLLAB_TEST_TMP:-${TMPDIR:-/tmp}}" 5)
say()
{
  node -e 'const r = JSON.parse(process.argv[1]);
    for (const p of ["p50", "p99"])
      console.log(JSON.stringify({ name: `fdatasync_${p}`, value: r[`${p}_us`], unit: "µs", goal: null, met: null }))' "$1"
}
say "$result" >>"${BENCH_LINES:-/dev/stdout}"
