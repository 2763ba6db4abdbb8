#!/bin/sh
# run-one.sh FUZZER - runs a fuzzer for SECONDS_EACH seconds within bounds; where it found nothing, WORK/NAME.executions has their number.
set -u
here=$(dirname "$0")
name=${1##*/fuzz_}
log=$WORK/$name.log
dict=
[ "$name" = json ] && dict=-dict=$here/delta.dict
mkdir -p "$WORK/corpus/$name"
timeout $((SECONDS_EACH * 3 + 60)) "$1" -max_total_time="$SECONDS_EACH" -timeout=5 -rss_limit_mb=1024 -max_len=4096 \
	-print_final_stats=1 -artifact_prefix="$WORK/$name-" ${dict:+"$dict"} "$WORK/corpus/$name" "$WORK/seeds/$name" >"$log" 2>&1
status=$?
if [ "$status" -ne 0 ]; then
	tail -n 60 "$log"
	echo "fuzz_$name: FAILED (exit status $status); the input is in $WORK/$name-*"
	exit 1
fi
sed -n 's/^stat::number_of_executed_units: *//p' "$log" >"$WORK/$name.executions"
echo "fuzz_$name: $(cat "$WORK/$name.executions") executions in $SECONDS_EACH s, $(find "$WORK/corpus/$name" -type f | wc -l) inputs of interest"
