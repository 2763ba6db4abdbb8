#!/usr/bin/env bash
# npm.sh DIR... - installs each directory's packages from its lock file, unless that was done; then builds what it has to build.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

for dir in "$@"; do
  cd "$top/$dir"
  # A copy of the lock file inside node_modules says what is installed.
  if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
    npm ci --no-audit --no-fund --no-update-notifier
    cp package-lock.json node_modules/.installed-lock.json
  fi
  npm run build --if-present
done
