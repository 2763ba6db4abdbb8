#!/bin/sh
# run.sh FUZZER... - makes the seeds, runs each fuzzer for SECONDS_EACH seconds within bounds, counts the executions.
# BUILD is where the corpora live; they grow from run to run. A finding is written to BUILD/fuzz/ and shown.
set -u
here=$(dirname "$0")
seconds=${SECONDS_EACH:-20}
build=${BUILD:?}
work=$build/fuzz
# The sanitizer keeps freed memory back to catch late uses: not more than fits under the limit.
export ASAN_OPTIONS="${ASAN_OPTIONS:-quarantine_size_mb=64:allocator_may_return_null=1}"
total=0
failed=0

${NODE:-node} "$here/make_corpus.mjs" "$build/oracle" "$work/seeds" || exit 1
for fuzzer in "$@"; do
	name=${fuzzer##*/fuzz_}
	mkdir -p "$work/corpus/$name"
	dict=
	[ "$name" = json ] && dict=-dict=$here/delta.dict
	log=$work/$name.log
	timeout $((seconds * 3 + 60)) "$fuzzer" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -max_len=4096 \
		-print_final_stats=1 -artifact_prefix="$work/$name-" ${dict:+"$dict"} "$work/corpus/$name" "$work/seeds/$name" >"$log" 2>&1
	status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	total=$((total + ${runs:-0}))
	if [ "$status" -ne 0 ]; then
		failed=$((failed + 1))
		tail -n 60 "$log"
		echo "fuzz_$name: FAILED (exit status $status); the input is in $work/$name-*"
	else
		echo "fuzz_$name: ${runs:-0} executions in ${seconds} s, $(find "$work/corpus/$name" -type f | wc -l) inputs of interest"
	fi
done
echo "fuzz: $# fuzzers, $total executions, $failed failed"
[ "$failed" -eq 0 ]
