#!/usr/bin/env bash
# format.sh [--check] - clang-format 14 over every C file of the project; --check changes nothing and fails if it would.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

formatter=$(command -v clang-format-14 || command -v clang-format) || die "clang-format is not installed"
"$formatter" --version | grep -q 'version 14\.' || die "the style is defined by clang-format 14, this is $("$formatter" --version)"

cd "$top"
mapfile -t files < <(project_files '*.c' '*.h')
if [ "${1:-}" = --check ]; then
  failed=0
  for file in "${files[@]}"; do
    if ! "$formatter" --style=file "$file" | cmp -s "$file" -; then
      say "not formatted: $file"
      failed=$((failed + 1))
    fi
  done
  say "${#files[@]} files looked at"
  say "format: $((failed == 0)) passed, $((failed > 0)) failed, 0 skipped"
  [ $failed = 0 ]
else
  "$formatter" --style=file -i "${files[@]}"
fi
