#!/usr/bin/env bash
# lint.sh - what can be read off the files: shell scripts, versions, and nothing in the tree that is true on one machine only.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$top"
passed=0
failed=0

check()
{
  local what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    say "failed: $what"
    failed=$((failed + 1))
  fi
}

# none COMMAND...: passes when the command prints nothing; what it prints is shown.
none()
{
  local found
  found=$("$@" | head -n 20)
  if [ -n "$found" ]; then
    say "$found"
    return 1
  fi
}

machine_paths()
{
  project_files | grep -v '^scripts/lint\.sh$' | xargs -d '\n' grep -nIE '(^|[^A-Za-z0-9_.])/(home|root|work|farm)/[a-z]|/tmp/(w|pg-)[/a-z]|"resolved": *"http' --
}

long_files()
{
  project_files '*.c' '*.h' '*.mjs' '*.js' | xargs -d '\n' wc -l | awk '$1 > 1000 && $2 != "total"'
}

shell_scripts()
{
  project_files | while read -r file; do
    case $file in
      *.sh) say "$file" ;;
      *.*) ;;
      *) head -n 1 "$file" | grep -qE '^#!.*\b(ba)?sh$' && say "$file" ;;
    esac
  done
}

shellcheck_all()
{
  mapfile -t scripts < <(shell_scripts)
  shellcheck -x "${scripts[@]}"
}

purpose_lines()
{
  project_files 'core/*.[ch]' 'extension/*.[ch]' 'proxy/*.[ch]' 'daemon/*.[ch]' 'archiver/*.[ch]' | while read -r file; do
    head -n 1 "$file" | grep -qE "^/\* ${file##*/} - |^/\*\$" || say "$file: no one-line purpose at the top"
  done
}

if command -v shellcheck >/dev/null; then
  check "shellcheck" shellcheck_all
else
  say "shellcheck is not installed"
fi
check "no path or address of one machine" none machine_paths
check "no file above 1000 lines" none long_files
check "every C file begins with its purpose" none purpose_lines
check "install scripts only in sql/" none find sql -type f ! -name 'collab--*.sql'
check "versions and META.json" scripts/checkver.sh
say "lint: $passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
