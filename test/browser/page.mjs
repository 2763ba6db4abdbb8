/* The demo page in a real Chromium, and what tests do on it. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { projectDir } from '../lib/cluster.mjs';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

export const chromiumBinary = process.env.CHROMIUM
  ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

export const pageFiles = join(projectDir, 'client/dist');
const results = join(projectDir, 'results/browser');

export function launch() {
  return chromium.launch({ executablePath: chromiumBinary, headless: true, args: FLAGS });
}

/* A window with the demo page; everything it complains about is kept. */
export async function openPage(browser, address, { width = 1360, height = 1000 } = {}) {
  const page = await browser.newPage({ viewport: { width, height } });
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('request', (request) => (
    new URL(request.url()).host === new URL(address).host || complaints.push(`${request.url()} is asked for`)));
  await page.goto(address);
  return Object.assign(page, { complaints });
}

/* The left (0) or the right (1) editor and what stands around it. */
export class Desk {
  constructor(page, number) {
    this.page = page;
    this.number = number;
    this.root = page.locator('.desk').nth(number);
    this.editor = this.root.locator('.ql-editor');
    this.badge = this.root.locator('.badge');
    this.carets = this.root.locator('.ql-cursor:not(.hidden) .ql-cursor-caret');
    this.flags = this.root.locator('.ql-cursor:not(.hidden) .ql-cursor-name');
  }

  async type(text, at = 'Control+End') {
    await this.editor.click();
    await this.page.keyboard.press(at);
    await this.page.keyboard.type(text);
  }

  toggle() {
    return this.root.locator('.switch').click();
  }

  state() {
    return this.badge.getAttribute('data-state');
  }

  /* What the editor shows, without the newline that is its own. */
  text() {
    return this.page.evaluate((i) => window.collab.editors[i].getText().slice(0, -1), this.number);
  }

  contents() {
    return this.page.evaluate((i) => window.collab.editors[i].getContents().ops, this.number);
  }
}

export async function picture(page, name) {
  mkdirSync(results, { recursive: true });
  await page.screenshot({ path: join(results, `${name}.png`), fullPage: true });
}
