#!/usr/bin/env bash
# fault-postgres.sh - a copy of the PostgreSQL installation in build/fault (or /var/tmp) whose collab.so has fault points (core/fault.h);
# prints the path of its pg_config. Only the programs are copied, the rest are links: PostgreSQL finds its files from where its
# programs are.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

find_postgres
bin=$("$PG_CONFIG" --bindir)
share=$("$PG_CONFIG" --sharedir)
library=$("$PG_CONFIG" --pkglibdir)
copy=$top/build/fault/postgresql
source=$top/build/fault/source

# Elsewhere if the server's user cannot come here.
if [ "$EUID" = 0 ] && ! as_user "$(server_user)" test -x "$top/scripts" 2>/dev/null; then
  copy=/var/tmp/collab-fault-$(printf '%s' "$top" | cksum | cut -d' ' -f1)
  # In /var/tmp anybody may have put something of that name.
  if [ -e "$copy" ] && { [ -L "$copy" ] || [ "$(stat -c %U "$copy")" != root ]; }; then
    die "$copy is not ours: remove it"
  fi
fi

# What all three paths begin with is what the copy stands for.
prefix=$bin
until [ "${share#"$prefix"/}" != "$share" ] && [ "${library#"$prefix"/}" != "$library" ]; do
  prefix=${prefix%/*}
done

# Links to everything in a directory but what is ours and the directory where that is.
link_all()
{
  local entry
  mkdir -p "$2"
  for entry in "$1"/*; do
    case ${entry##*/} in
    collab.so | collab.control | collab--*.sql | bitcode | extension) ;;
    *) ln -sfn "$entry" "$2/${entry##*/}" ;;
    esac
  done
}

mkdir -p "$copy${bin#"$prefix"}" "$source"
cp -uL "$bin"/* "$copy${bin#"$prefix"}/"
link_all "$library" "$copy${library#"$prefix"}"
link_all "$share" "$copy${share#"$prefix"}"
link_all "$share/extension" "$copy${share#"$prefix"}/extension"

# Objects of their own, so that the ordinary build keeps its.
cd "$top"
cp -up --parents core/*.[ch] extension/*.[ch] sql/collab--*.sql Makefile collab.control "$source/"
make -s -C "$source" PG_CONFIG="$PG_CONFIG" with_llvm=no COPT=-DCOLLAB_FAULT_POINTS all >&2
# A server that runs on the old one keeps it.
cp "$source/collab.so" "$copy${library#"$prefix"}/collab.so.new"
mv -f "$copy${library#"$prefix"}/collab.so.new" "$copy${library#"$prefix"}/collab.so"
cp "$source/collab.control" "$source"/sql/collab--*.sql "$copy${share#"$prefix"}/extension/"
say "$copy${bin#"$prefix"}/pg_config"
