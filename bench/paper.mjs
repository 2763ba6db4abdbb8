// paper.mjs - the recorded session automerge-paper as a document of a private cluster: 259,778 keystrokes, every one an event.

import { chownSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectDir, startCluster } from '../test/lib/cluster.mjs';
import { keystrokes, loadTrace } from '../test/replay/traces.mjs';

// A cluster whose database `bench` has the document `paper`, without a worker, so that there is no snapshot that nobody asked for.
// TRACES=folder of the recorded sessions: where it is missing, nothing is measured and the process ends.
export async function startWithPaper() {
  const trace = join(process.env.TRACES ?? join(projectDir, '../shared/traces'), 'automerge-paper.json.gz');

  if (!existsSync(trace)) {
    console.log(`${trace} is not there: nothing is measured`);
    process.exit(0);
  }
  const cluster = await startCluster({ preload: false, settings: { shared_buffers: '512MB', max_wal_size: '4GB', autovacuum: 'off' } });
  const db = cluster.createDatabase('bench');
  const file = join(cluster.dir, 'keystrokes');

  writeFileSync(file, [...keystrokes(await loadTrace(trace))].map((delta) => JSON.stringify(delta).replaceAll('\\', '\\\\')).join('\n') + '\n');
  if (cluster.user) chownSync(file, cluster.user.uid, cluster.user.gid);
  db.sql(`CREATE TABLE keystrokes (n bigserial, op text);
    COPY keystrokes (op) FROM '${file}';
    SELECT collab.create_document('paper');
    SELECT count(collab.submit('paper', op::collab.delta)) FROM (SELECT op FROM keystrokes ORDER BY n) k;
    DROP TABLE keystrokes;
    VACUUM ANALYZE`);
  return { cluster, db };
}
