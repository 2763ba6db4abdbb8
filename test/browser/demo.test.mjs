/*
 * The demo page as a person sees it: Chromium, the real proxy, the real database. Pictures of it are left in results/browser/.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { eventually } from '../lib/proxy.mjs';
import { Stack } from '../lib/stack.mjs';
import { Desk, chromiumBinary, launch, openPage, pageFiles, picture } from './page.mjs';

assert.ok(chromiumBinary, 'there is no Chromium: install it, or name it in CHROMIUM');
assert.ok(existsSync(`${pageFiles}/index.html`), `${pageFiles} is missing: run make client`);

let stack;
let browser;

before(async () => {
  stack = await Stack.start({ config: { static_dir: pageFiles } });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await stack?.stop();
});

async function visit(doc, content = { ops: [{ insert: 'Two people, one document.\n' }] }, options = {}) {
  if (content !== null) {
    stack.createDocument(doc, content);
  }
  const page = await openPage(browser, `${stack.proxy.http}/?doc=${doc}&names=Ada,Grace`, options);
  return { page, desks: [new Desk(page, 0), new Desk(page, 1)] };
}

const saved = (desk) => eventually(async () => (await desk.state()) === 'saved', { what: 'everything is saved' });

/* Both editors and the database are equal and saved. */
async function agree(doc, desks) {
  await Promise.all(desks.map(saved));
  await eventually(async () => {
    const texts = await Promise.all(desks.map((desk) => desk.text()));
    return texts.every((text) => text === stack.text(doc));
  }, { what: 'editors and database are equal' });
}

test('what is typed in one editor appears in the other and is a row per keystroke', async () => {
  const { page, desks } = await visit('typing');
  const [ada, grace] = desks;
  await saved(ada);
  const before = stack.versions('typing');
  await ada.type('Ada was here 😀');
  await grace.type('Grace: ', 'Control+Home');
  await agree('typing', desks);
  assert.equal(stack.text('typing'), 'Grace: Two people, one document.\nAda was here 😀');
  assert.equal(stack.versions('typing') - before, 'Ada was here 😀'.length - 1 + 'Grace: '.length);
  assert.equal(await ada.root.locator('.version').textContent(), `version ${stack.versions('typing')}`);
  assert.equal(await page.locator('#log tr').first().locator('td').first().textContent(), String(stack.versions('typing')));
  assert.deepEqual(page.complaints, []);
  await page.close();
});

test('both editors type at the same place at the same time', async () => {
  const { page, desks } = await visit('together', { ops: [{ insert: 'start' }] });
  await Promise.all(desks.map(saved));
  await page.evaluate(async () => {
    const pause = () => new Promise((resolve) => { setTimeout(resolve, 3); });
    for (let i = 0; i < 60; i += 1) {
      window.collab.editors.forEach((quill, desk) => quill.insertText(5, 'ag'[desk], { bold: i % 7 === 0 }, 'user'));
      await pause();
    }
  });
  await agree('together', desks);
  assert.equal(stack.text('together').length, 'start'.length + 120);
  assert.deepEqual(await desks[0].contents(), await desks[1].contents());
  await page.close();
});

test('formats: a heading on the last line, a list, bold', async () => {
  const { page, desks } = await visit('formats', { ops: [{ insert: 'Title' }] });
  const [ada, grace] = desks;
  await saved(ada);
  await ada.editor.click();
  await page.evaluate(() => window.collab.editors[0].formatLine(0, 1, 'header', 1, 'user'));
  await ada.type('item', 'Control+End');
  await ada.root.locator('.ql-toolbar button.ql-list[value=bullet]').click();
  await agree('formats', desks);
  await grace.editor.click();
  await page.keyboard.press('Control+Home');
  await page.keyboard.press('Shift+End');
  await page.keyboard.press('Control+b');
  await agree('formats', desks);
  assert.deepEqual(await ada.contents(), await grace.contents());
  assert.deepEqual(stack.document('formats').ops, [
    { insert: 'Title', attributes: { bold: true } }, { insert: '\n', attributes: { header: 1 } },
    { insert: 'item' }, { insert: '\n', attributes: { list: 'bullet' } },
  ]);
  await page.close();
});

test('an edit in SQL arrives in both editors, within 50 ms of its commit when nothing else is going on', async () => {
  const { page, desks } = await visit('sql');
  await Promise.all(desks.map(saved));
  await page.evaluate(() => {
    window.arrivals = [];
    window.collab.clients[0].on('change', ({ user }) => window.arrivals.push([user, Date.now()]));
  });
  const delays = [];
  for (let i = 0; i < 5; i += 1) {
    const committed = stack.sql(`BEGIN; SELECT collab.insert_text('sql', 0, 'psql ${i} ');
      SELECT floor(extract(epoch FROM clock_timestamp()) * 1000); COMMIT`).trim().split('\n')[1];
    await eventually(async () => (await page.evaluate(() => window.arrivals.length)) > i, { what: 'the edit arrives' });
    delays.push(await page.evaluate(() => window.arrivals.at(-1)[1]) - Number(committed));
  }
  await agree('sql', desks);
  assert.match(await desks[1].text(), /^psql 4 psql 3 psql 2 psql 1 psql 0 Two people/);
  console.log(`# from COMMIT in psql to the editor: ${delays.join(', ')} ms`);
  assert.ok(Math.min(...delays) < 50, `it took ${delays} ms`);
  await page.close();
});

test('a comment whose text is deleted in an editor comes back with that editor\'s undo, whatever was typed there meanwhile', async () => {
  const { page, desks } = await visit('comment');
  const [ada, grace] = desks;
  await Promise.all(desks.map(saved));
  const comment = () => stack.sql(`SELECT substr(collab.text('comment'), ("from" + 1)::int, ("to" - "from")::int), state FROM collab.comments('comment')`);
  stack.sql(`SELECT collab.add_comment('comment', 12, 24, 'Which document?')`);
  assert.equal(comment(), 'one document|anchored');

  await ada.editor.click();
  await page.evaluate(() => window.collab.editors[0].setSelection(10, 14));
  await page.keyboard.press('Backspace');
  await agree('comment', desks);
  assert.equal(comment(), '|orphaned');
  await grace.editor.click();
  await page.evaluate(() => window.collab.editors[1].setSelection(10, 0));
  await page.keyboard.type(' and more');
  await agree('comment', desks);
  assert.equal(comment(), '|orphaned');

  await ada.editor.focus();
  await page.keyboard.press('Control+z');
  await agree('comment', desks);
  assert.match(stack.text('comment'), /one document/);
  assert.equal(comment(), 'one document|anchored');
  await page.keyboard.press('Control+Shift+z');
  await agree('comment', desks);
  assert.equal(comment(), '|orphaned');
  await page.close();
});

test('offline: edits wait, are counted, and arrive with the switch', async () => {
  const { page, desks } = await visit('offline');
  const [ada, grace] = desks;
  await Promise.all(desks.map(saved));
  await ada.toggle();
  await ada.type(' offline', 'Control+End');
  await grace.type('Online. ', 'Control+Home');
  assert.equal(await ada.state(), 'offline');
  assert.match(await ada.badge.textContent(), /8 edits waiting/);
  assert.doesNotMatch(await grace.text(), /offline/);
  await picture(page, 'demo-offline');
  await ada.toggle();
  await agree('offline', desks);
  assert.equal(await grace.text(), 'Online. Two people, one document.\n offline');
  await page.close();
});

test('the other\'s cursor is shown, named, in its colour, and moves with the text', async () => {
  const { page, desks } = await visit('cursors', { ops: [{ insert: 'one two three\n' }] });
  const [ada, grace] = desks;
  await Promise.all(desks.map(saved));
  await ada.type('', 'Control+Home');
  await page.keyboard.press('Control+ArrowRight');
  await grace.carets.first().waitFor();
  assert.equal(await grace.flags.first().textContent(), 'Ada');
  const color = await grace.carets.first().evaluate((caret) => caret.style.backgroundColor);
  const persons = await ada.root.evaluate((desk) => getComputedStyle(desk).getPropertyValue('--person'));
  assert.equal(color, `rgb(${persons.match(/[0-9a-f]{2}/g).map((hex) => parseInt(hex, 16)).join(', ')})`);
  const position = () => page.evaluate(() => (
    window.collab.clients[1].presence.find(({ self }) => !self)?.cursor?.position));
  const own = () => page.evaluate(() => window.collab.editors[0].getSelection().index);
  await eventually(async () => (await own()) > 0 && (await position()) === (await own()), { what: 'the cursor is where it is' });
  stack.sql("SELECT collab.insert_text('cursors', 0, 'zero ')");
  await eventually(async () => (await grace.text()).startsWith('zero') && (await position()) === (await own()),
    { what: 'the cursor moves with the text' });
  assert.ok((await own()) > 5);
  assert.equal(await grace.carets.count(), 1);
  await picture(page, 'demo-cursors');
  await page.close();
});

test('a document that is missing: the page says how it is made, and finds it then', async () => {
  const { page, desks } = await visit('not-yet', null);
  const notice = page.locator('#notice');
  await notice.waitFor();
  assert.equal(await page.locator('#notice-command code').textContent(), "SELECT collab.create_document('not-yet');");
  await picture(page, 'demo-missing');
  stack.sql("SELECT collab.create_document('not-yet')");
  await page.locator('#notice-action').click();
  await saved(desks[0]);
  await notice.waitFor({ state: 'hidden' });
  await desks[0].type('here');
  await agree('not-yet', desks);
  await page.close();
});

test('the proxy goes away and comes back: typing goes on', async () => {
  const { page, desks } = await visit('restart');
  await Promise.all(desks.map(saved));
  await stack.proxy.stop('SIGKILL');
  await desks[0].type('meanwhile');
  await eventually(async () => (await desks[0].state()) === 'trouble', { what: 'the page notices' });
  await stack.proxy.start();
  await agree('restart', desks);
  assert.equal(stack.text('restart'), 'Two people, one document.\nmeanwhile');
  await page.close();
});

test('the lines for psql can be copied', async () => {
  const { page, desks } = await visit('copy');
  await saved(desks[0]);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.locator('.commands .copy').first().click();
  const line = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(line, /^psql .* -c "SELECT collab\.insert_text\('copy', 0, 'Hello from psql '\);"$/);
  await page.close();
});

test('a small window and a dark one', async () => {
  const { page, desks } = await visit('looks', undefined, { width: 400, height: 860 });
  await saved(desks[0]);
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(await overflow(), 0);
  await picture(page, 'demo-small');
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.setViewportSize({ width: 1360, height: 1000 });
  await desks[0].type('Hello in the dark');
  await picture(page, 'demo-dark');
  assert.equal(await overflow(), 0);
  await page.close();
});

test('nothing keeps people with a screen reader or a keyboard out (axe)', async () => {
  const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  for (const [doc, colorScheme] of [['axe', 'light'], ['axe', 'dark'], ['axe-missing', 'light'], ['axe-missing', 'dark']]) {
    const { page, desks } = await visit(doc, doc === 'axe' && colorScheme === 'light' ? undefined : null);
    await page.emulateMedia({ colorScheme });
    await (doc === 'axe' ? saved(desks[0]) : page.locator('#notice').waitFor());
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), [], `${doc}, ${colorScheme}`);
    await page.close();
  }
});
