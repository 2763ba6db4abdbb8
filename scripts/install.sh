#!/usr/bin/env bash
# install.sh - installs the built extension into PG_CONFIG's directories, with root rights if it takes them, and does
# nothing when what is there is what was built.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

find_postgres
cd "$top"
library=$("$PG_CONFIG" --pkglibdir)
share=$("$PG_CONFIG" --sharedir)/extension

current()
{
  local script
  cmp -s collab.so "$library/collab.so" && cmp -s collab.control "$share/collab.control" || return 1
  for script in sql/collab--*.sql; do
    cmp -s "$script" "$share/${script##*/}" || return 1
  done
}

if ! current; then
  if [ -w "$library" ] && [ -w "$share" ]; then
    make -s PG_CONFIG="$PG_CONFIG" with_llvm=no install
  else
    as_root make -s PG_CONFIG="$PG_CONFIG" with_llvm=no install
  fi
fi
