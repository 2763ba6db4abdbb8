#!/usr/bin/env bash
# replay.sh FILE... - plays recorded editing sessions through a proxy and a cluster of their own; fails if any replica differs.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

[ -n "${1:-}" ] || die "say which recording: make replay TRACE=FILE"
files=()
for file in "$@"; do
  [ -r "$file" ] || die "cannot read $file"
  files+=("$(readlink -f "$file")")
done
start_log replay.log
prepare "build run" epn
as_builder node "$top/test/replay/replay.mjs" "${files[@]}"
