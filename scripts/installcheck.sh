#!/usr/bin/env bash
# installcheck.sh REGRESS|ISOLATION - one half of `make installcheck` against the server of PGHOST, with differences shown.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

find_postgres
cd "$top"
case ${1:-} in
  REGRESS) other=ISOLATION ;;
  ISOLATION) other=REGRESS ;;
  *) die "usage: installcheck.sh REGRESS|ISOLATION" ;;
esac
rm -f regression.diffs
status=0
make -s PG_CONFIG="$PG_CONFIG" with_llvm=no "$other=" installcheck || status=$?
if [ -s regression.diffs ]; then
  head -n 200 regression.diffs
fi
exit $status
