/* The types: they compile with code that uses everything, and name what is there. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const project = fileURLToPath(new URL('../types/tsconfig.json', import.meta.url));

function compile(...options) {
  try {
    return execFileSync(process.execPath, [compiler, '--project', project, ...options], { encoding: 'utf8' });
  } catch (error) {
    return error.stdout;
  }
}

test('for bundlers', () => {
  assert.equal(compile(), '');
});

test('for node', () => {
  /* quill's own types do not compile this way */
  assert.equal(compile('--module', 'nodenext', '--moduleResolution', 'nodenext', '--skipLibCheck'), '');
});

test('every name that is declared is exported, and the other way round', async () => {
  const { exports } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  for (const [path, { types, default: file }] of Object.entries(exports)) {
    assert.equal(Object.keys(exports[path])[0], 'types');
    const declarations = readFileSync(new URL(`../${types}`, import.meta.url), 'utf8');
    const declared = [...declarations.matchAll(/^export declare (?:const|class|function) (\w+)/gm)].map(([, name]) => name);
    const exported = Object.keys(await import(new URL(`../${file}`, import.meta.url)));
    assert.deepEqual(declared.sort(), exported.sort(), path);
  }
});
