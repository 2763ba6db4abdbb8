#!/bin/sh
# run.sh FUZZER... - makes the seeds, runs the fuzzers for SECONDS_EACH seconds each, one on every processor, and counts the executions.
# BUILD is where the corpora live; they grow from run to run. A finding is written to BUILD/fuzz/ and shown.
set -u
here=$(dirname "$0")
build=${BUILD:?}
work=$build/fuzz
export SECONDS_EACH="${SECONDS_EACH:-20}"
# The sanitizer keeps freed memory back to catch late uses: not more than fits under the limit.
export ASAN_OPTIONS="${ASAN_OPTIONS:-quarantine_size_mb=64:allocator_may_return_null=1}"

${NODE:-node} "$here/make_corpus.mjs" "$build/oracle" "$work/seeds" || exit 1
rm -f "$work"/*.log "$work"/*.executions
printf '%s\n' "$@" | WORK=$work xargs -n 1 -P "$(nproc)" "$here/run-one.sh"
# Of one that found something, or could not run, there is no count.
passed=$(find "$work" -name '*.executions' | wc -l)
echo "fuzz: $# fuzzers, $(cat "$work"/*.executions 2>/dev/null | awk '{ n += $1 } END { print n + 0 }') executions, $(($# - passed)) failed"
[ "$passed" -eq $# ]
