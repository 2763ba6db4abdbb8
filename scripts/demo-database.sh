#!/usr/bin/env bash
# demo-database.sh - the database of the demo on the server of PGHOST: extension, roles and the document readme, unless they
# are there.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

find_postgres
cd "$top"
export PGUSER=postgres

sql()
{
  "$pg_bin/psql" -XAtq -v ON_ERROR_STOP=1 "$@"
}

if [ "$(sql -d postgres -c "SELECT 1 FROM pg_database WHERE datname = 'collab'")" != 1 ]; then
  sql -d postgres -c "CREATE DATABASE collab TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"
fi
if [ "$(sql -d collab -c "SELECT 1 FROM pg_extension WHERE extname = 'collab'")" = 1 ]; then
  sql -d collab -c "ALTER EXTENSION collab UPDATE"
else
  sql -d collab -c "CREATE EXTENSION collab"
fi
sql -d collab -f deploy/roles.sql
sql -d collab <<'END'
SELECT collab.create_document('readme',
  E'Two people, one document.\nType in both editors, or from psql: every keystroke is a committed row.\n')
 WHERE NOT EXISTS (SELECT FROM collab.documents WHERE doc_id = 'readme');
END
