#!/usr/bin/env bash
# checkver.sh - the version number of collab.control stands wherever it must be repeated, and META.json is what PGXN takes.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$top"
version=$(version)
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

semantic()
{
  [[ $1 =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]]
}

# json FILE EXPRESSION: does the JavaScript expression hold of the parsed file `m`?
json()
{
  node -e 'const m = JSON.parse(require("fs").readFileSync(process.argv[1])), version = process.argv[3];
    process.exit(eval(process.argv[2]) ? 0 : 1)' "$1" "$2" "$version"
}

install_script()
{
  local chain
  [ -f "sql/collab--$version.sql" ] && return
  # An upgrade chain may lead to this version instead.
  for chain in sql/collab--*--"$version".sql; do
    [ -f "$chain" ] && return
  done
  return 1
}

check "collab.control's default_version is major.minor.patch" semantic "$version"
check "sql/ leads to version $version" install_script
check "CHANGELOG.md has a section for $version" grep -q "^## $version\b" CHANGELOG.md
check "META.json: version" json META.json 'm.version === version && m.provides.collab.version === version'
check "client/package.json: version" json client/package.json 'm.version === version'
check "client/package-lock.json: version" json client/package-lock.json 'm.version === version && m.packages[""].version === version'

# PGXN Meta Spec 1.0.0: required keys and their forms.
check "META.json: name, abstract, maintainer, license" json META.json \
  'm.name === "collab" && typeof m.abstract === "string" && [m.maintainer].flat().every(s => typeof s === "string" && s) && m.license === "postgresql"'
check "META.json: meta-spec 1.0.0" json META.json \
  'm["meta-spec"].version === "1.0.0" && m["meta-spec"].url === "https://pgxn.org/meta/spec.txt"'
check "META.json: provides file, version, abstract; the files exist" json META.json \
  'Object.values(m.provides).every(p => p.version && p.abstract && require("fs").existsSync(p.file) && (!p.docfile || require("fs").existsSync(p.docfile)))'
check "META.json: prereqs are phases of relations of versions" json META.json \
  'Object.entries(m.prereqs).every(([phase, r]) => ["configure","build","test","runtime","develop"].includes(phase) && Object.entries(r).every(([rel, p]) => ["requires","recommends","suggests","conflicts"].includes(rel) && Object.values(p).every(v => /^(0|\d+\.\d+\.\d+)$/.test(v))))'
check "META.json: release_status and tags" json META.json \
  '["stable","testing","unstable"].includes(m.release_status) && m.tags.every(t => typeof t === "string" && t.length <= 256)'

say "versions: $passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
