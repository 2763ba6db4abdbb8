#!/usr/bin/env bash
# test.sh [SUITE...] - installs and builds what the tests need, runs the suites (all of the table by default) and ends with
# one line that counts their tests. Servers that tests need are started by them, on free ports and in temporary directories.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

# name, what has to be built before (extension, proxy, archiver, npm packages), seconds it may take, command. A suite prints its counts in
# one of the forms that `count` knows.
suites()
{
  cat <<'END'
lint       -   120   scripts/lint.sh
format     -   120   scripts/format.sh --check
core       -   600   make -s -C test/core check
oracle     n   600   make -s -C test/core oracle
fuzz       n   600   scripts/fuzz.sh 20
sql        e   600   scripts/cluster.sh with shared_preload_libraries=collab -- scripts/installcheck.sh REGRESS
isolation  e   600   scripts/cluster.sh with shared_preload_libraries=collab max_prepared_transactions=10 -- scripts/installcheck.sh ISOLATION
pgtap      e   600   scripts/cluster.sh with shared_preload_libraries=collab -- scripts/pgtap.sh
cluster    e   900   scripts/node-test.sh -j 2 test/cluster
client     n   300   scripts/node-test.sh client/test
proxy      epn 1500  scripts/node-test.sh test/proxy
archiver   ean 900  scripts/node-test.sh -j 2 test/archiver
e2e        epn 1500  scripts/node-test.sh test/e2e
browser    epn 600   scripts/node-test.sh test/browser
run        epan 300 scripts/node-test.sh test/run
END
}

# Adds up what a suite's log says: our own lines, pg_regress, node's TAP, and the
# oracle and the fuzzers, of which each run is one test. Prints "passed failed skipped".
count()
{
  awk '
    /^[a-z0-9 _.-]+: [0-9]+ (tests )?passed, [0-9]+ failed/ {
      sub(/^[^:]*: /, ""); gsub(/tests /, "")
      p += $1; f += $3; if ($5 ~ /^[0-9]+$/) s += $5
    }
    /^ All [0-9]+ tests passed/ { p += $2 }
    /^ [0-9]+ of [0-9]+ tests (failed|passed)/ { if ($0 ~ /failed/) { f += $1; p += $3 - $1 } else p += $1 }
    /^# pass [0-9]+$/ { p += $3 }
    /^# (fail|cancelled) [0-9]+$/ { f += $3 }
    /^# (skipped|todo) [0-9]+$/ { s += $3 }
    /^oracle: [0-9]+ cases, [0-9]+ mismatches/ { if ($4 == 0) p++; else f += $4 }
    /^fuzz: [0-9]+ fuzzers, [0-9]+ executions, [0-9]+ failed/ { p += $2 - $6; f += $6 }
    END { print p + 0, f + 0, s + 0 }' "$1"
}

names=$(suites | awk '{print $1}')
chosen=("$@")
if [ ${#chosen[@]} = 0 ]; then
  mapfile -t chosen <<<"$names"
fi
for name in "${chosen[@]}"; do
  grep -qx "$name" <<<"$names" || die "no suite named $name; there are: $(tr '\n' ' ' <<<"$names")"
done

cd "$top"
logs=$top/build/test-logs
start_log test-logs/setup.log

# field NAME N: the n-th word of a suite's line; the fourth is all the rest.
field()
{
  suites | awk -v name="$1" -v n="$2" '$1 == name { if (n < 4) print $n; else { sub(/^[^ ]+ +[^ ]+ +[^ ]+ +/, ""); print } }'
}

needs=$(for name in "${chosen[@]}"; do field "$name" 2; done)
trap 'say "0 passed, 1 failed, 0 skipped"' EXIT # without the parts nothing can be tested
prepare "build run test" "$needs"
trap - EXIT

passed=0
failed=0
skipped=0
failures=()
suite=
become "$(build_user)"
trap '[ -z "$suite" ] || { kill -TERM "$suite"; wait "$suite"; }; say; say "interrupted"; exit 130' INT TERM HUP
for name in "${chosen[@]}"; do
  limit=$(field "$name" 3)
  command=$(field "$name" 4)
  log=$logs/$name.log
  rm -f "$log"
  printf '%-12s' "$name"
  started=$SECONDS
  status=0
  # In the background, because `wait` can be interrupted; `timeout` passes the end on to all that the suite started.
  "${prefix[@]}" env KEEP_LOG="$logs/$name-postgres.log" timeout -k 30 "$limit" bash -c "$command" >"$log" 2>&1 </dev/null &
  suite=$!
  wait "$suite" || status=$?
  suite=
  read -r p f s < <(count "$log")
  why=
  if [ $status = 124 ] || [ $status = 137 ]; then
    why="took longer than $limit s"
  elif [ $status != 0 ] && [ "$f" = 0 ]; then
    why="exit status $status"
  elif [ $((p + f + s)) = 0 ]; then
    why="ran no test"
  elif [ $status = 0 ] && [ "$f" != 0 ]; then
    why="counts failures but exits with 0"
  fi
  [ -z "$why" ] || f=$((f + 1))
  printf '%6d passed %4d failed %4d skipped %6d s%s\n' "$p" "$f" "$s" $((SECONDS - started)) "${why:+  ($why)}"
  passed=$((passed + p))
  failed=$((failed + f))
  skipped=$((skipped + s))
  if [ "$f" != 0 ]; then
    failures+=("$name")
    grep -nE '^not ok|^ *not ok|FAILED|failed|[Ee]rror' "$log" | head -n 15 | cut -c1-200 | sed 's/^/  | /' || true
    tail -n 12 "$log" | cut -c1-200 | sed 's/^/  | /'
    say "  all of it: $log"
  fi
done

if [ ${#failures[@]} -gt 0 ]; then
  say "failed suites: ${failures[*]}"
fi
say "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
