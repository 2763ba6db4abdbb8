#!/bin/sh
# check.sh TEST... - runs each cmocka program, shows those that fail, and ends with one line that counts.
set -u
log=${CHECK_LOG:-/dev/null}
passed=0
failed=0
: >"$log"
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=1}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1}"
for test in "$@"; do
	name=${test##*/}
	output=$(timeout "${CHECK_TIMEOUT:-300}" "$test" 2>&1)
	status=$?
	printf '== %s\n%s\n' "$name" "$output" >>"$log"
	ok=$(printf '%s\n' "$output" | sed -n 's/^\[  PASSED  \] \([0-9][0-9]*\) test(s).*/\1/p' | awk '{n += $1} END {print n + 0}')
	ko=$(printf '%s\n' "$output" | sed -n 's/^\[  FAILED  \] \([0-9][0-9]*\) test(s).*/\1/p' | awk '{n += $1} END {print n + 0}')
	passed=$((passed + ok))
	if [ "$status" -ne 0 ]; then
		[ "$ko" -gt 0 ] || ko=1 # it crashed, timed out, or failed outside of a test
		printf '%s\n%s: failed (exit status %d)\n' "$output" "$name" "$status"
	elif [ "$ok" -eq 0 ]; then
		ko=1
		printf '%s: ran no test\n' "$name"
	else
		printf '%-24s %d tests\n' "$name" "$ok"
	fi
	failed=$((failed + ko))
done
printf 'core: %d tests passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
