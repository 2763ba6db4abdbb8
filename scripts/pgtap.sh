#!/usr/bin/env bash
# pgtap.sh - every test/pgtap/*.sql by pg_prove against the server of PGHOST, each in a database of its own.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

find_postgres
export PATH="$pg_bin:$PATH"
cd "$top"
passed=0
failed=0
skipped=0
for file in test/pgtap/*.sql; do
  [ -e "$file" ] || die "test/pgtap holds no test"
  createdb -T template0 -E UTF8 pgtap_test
  psql -qX -v ON_ERROR_STOP=1 -d pgtap_test -c "CREATE EXTENSION pgtap" -c "CREATE EXTENSION collab"
  status=0
  output=$(pg_prove --psql-bin "$pg_bin/psql" -v --ext .sql -d pgtap_test "$file" 2>&1) || status=$?
  say "$output"
  s=$(grep -cE '^ok .*# SKIP' <<<"$output" || true)
  p=$(($(grep -cE '^ok ' <<<"$output" || true) - s))
  f=$(grep -cE '^not ok ' <<<"$output" | head -n 1 || true)
  if [ $status != 0 ] && [ "$f" = 0 ]; then
    f=1
  fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  dropdb --force pgtap_test
done
say "pgtap: $passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
