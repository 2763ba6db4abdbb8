/* Builds the demo page into dist/: everything that it needs, so that it works without internet. */
import { build } from 'esbuild';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

await mkdir(here('../dist'), { recursive: true });
await build({
  entryPoints: [here('demo.js'), here('demo.css')],
  outdir: here('../dist'),
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2022'],
  sourcemap: true,
  legalComments: 'linked',
  logLevel: 'warning',
});
for (const file of ['index.html', 'icon.svg']) {
  await copyFile(here(file), here(`../dist/${file}`));
}
/* Who serves the page may say here how its database is reached: {"psql": "psql -h … collab"}. */
await writeFile(here('../dist/demo.json'), '{}\n');
