/* One editor with everything around it: its own client, name, badge, version and switch. */
import Quill from 'quill';
import QuillCursors from 'quill-cursors/core';
import { CollabClient } from '../src/index.js';
import { bindQuill } from '../src/quill.js';

Quill.register('modules/cursors', QuillCursors);

const TOOLBAR = [
  [{ header: [1, 2, false] }],
  ['bold', 'italic', 'underline', 'strike', 'code'],
  [{ color: [] }, { background: [] }],
  [{ list: 'ordered' }, { list: 'bullet' }, 'blockquote', 'code-block'],
  ['link', 'clean'],
];

/* Quill names its buttons, but not these. */
const PICKERS = { '.ql-header': 'Heading', '.ql-color': 'Text colour', '.ql-background': 'Background colour' };

const plural = (count) => `${count} ${count === 1 ? 'edit' : 'edits'}`;

export class Desk {
  constructor(person, { url, doc, template }) {
    this.person = person;
    this.element = template.content.firstElementChild.cloneNode(true);
    this.part = (selector) => this.element.querySelector(selector);
    this.element.style.setProperty('--person', person.color);
    this.element.setAttribute('aria-label', `${person.name}'s editor`);
    this.part('.name').textContent = person.name;
    this.quill = new Quill(this.part('.editor'), {
      theme: 'snow',
      placeholder: 'Type here …',
      modules: { toolbar: TOOLBAR, history: { userOnly: true }, cursors: { hideDelayMs: 2000, hideSpeedMs: 200 } },
    });
    this.quill.root.setAttribute('aria-label', `Text of the document, edited by ${person.name}`);
    this.quill.root.setAttribute('role', 'textbox');
    this.quill.root.setAttribute('aria-multiline', 'true');
    for (const [picker, label] of Object.entries(PICKERS)) {
      this.part(`.ql-toolbar ${picker} .ql-picker-label`).setAttribute('aria-label', label);
    }
    this.client = new CollabClient({ url, doc, ...person, granularity: 'edit' });
    this.binding = bindQuill(this.client, this.quill);
    this.listen();
    this.showBadge();
  }

  listen() {
    const { client } = this;
    this.switch = this.part('.switch input');
    this.switch.addEventListener('change', () => (this.switch.checked ? client.connect() : client.disconnect()));
    client.on('status', (event) => {
      this.retryAt = event.retryIn ? Date.now() + event.retryIn : null;
      this.showBadge();
    });
    client.on('database', () => this.showBadge());
    client.on('pending', () => this.showBadge());
    client.on('version', ({ version }) => {
      this.part('.version').textContent = `version ${version}`;
    });
    client.on('presence', ({ people }) => this.showPeople(people));
    setInterval(() => this.retryAt && this.showBadge(), 500);
  }

  /* What is certain about what was typed here. */
  get state() {
    const { status, pendingCount: pending } = this.client;
    const waiting = pending > 0 ? `, ${plural(pending)} waiting` : '';
    if (!this.switch.checked) {
      return ['offline', `Offline${waiting}`];
    }
    if (this.client.database === 'away') {
      return ['trouble', `The database is away${waiting}`];
    }
    if (status === 'synced') {
      return pending > 0 ? ['saving', `Saving ${plural(pending)} …`] : ['saved', 'All saved'];
    }
    const seconds = this.retryAt && Math.max(0, Math.ceil((this.retryAt - Date.now()) / 1000));
    return ['trouble', seconds ? `Reconnecting in ${seconds} s${waiting}` : `Connecting …${waiting}`];
  }

  showBadge() {
    const [state, text] = this.state;
    const badge = this.part('.badge');
    badge.dataset.state = state;
    if (badge.textContent !== text) {
      badge.textContent = text;
    }
    this.part('.switch .caption').textContent = this.switch.checked ? 'Online' : 'Offline';
  }

  showPeople(people) {
    this.part('.people').replaceChildren(...people.map(({ name, user, color, self }) => {
      const chip = document.createElement('span');
      chip.className = 'chip';
      chip.style.setProperty('--person', color ?? '#64748b');
      chip.textContent = self ? `${name ?? user} (you)` : name ?? user;
      return chip;
    }));
  }
}
