/* A Quill editor in jsdom, for tests of the binding. */
import { JSDOM } from 'jsdom';

const { window } = new JSDOM('<!doctype html><body></body>');

for (const name of ['window', 'document', 'Node', 'Element', 'HTMLElement', 'Text', 'MutationObserver', 'DOMParser', 'Range',
  'getSelection', 'getComputedStyle', 'navigator', 'Document', 'Event', 'InputEvent', 'CustomEvent', 'ResizeObserver']) {
  globalThis[name] ??= name === 'window' ? window : window[name];
}

/* jsdom lays nothing out. */
window.Range.prototype.getBoundingClientRect = () => ({ top: 0, bottom: 0, left: 0, right: 0, width: 0, height: 0 });

const { default: Quill } = await import('quill');

export function makeEditor(options = {}) {
  const container = window.document.createElement('div');
  window.document.body.append(container);
  return new Quill(container, { modules: { toolbar: false, history: { userOnly: true } }, ...options });
}

export { Quill };
