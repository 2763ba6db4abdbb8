/* The demo page: two editors side by side on one document, each a client of its own. */
import { Desk } from './desk.js';
import { Log } from './log.js';
import { drawPeople } from './people.js';
import { connectionLine, creation, makeCopyable, showCommands, statements } from './sql.js';

const NO_SUCH_DOCUMENT = 'OT004';
const byId = (id) => document.getElementById(id);

const parameters = new URLSearchParams(location.search);
const doc = parameters.get('doc') || 'readme';

byId('doc').value = doc;
document.title = `${doc} · collab`;
byId('document').addEventListener('submit', (event) => {
  event.preventDefault();
  parameters.set('doc', byId('doc').value);
  location.search = parameters;
});

function showNotice({ title, text, command, action, act }) {
  byId('notice-title').textContent = title;
  byId('notice-text').textContent = text;
  byId('notice-command').hidden = !command;
  if (command) {
    makeCopyable(byId('notice-command'), command);
  }
  byId('notice-action').textContent = action;
  byId('notice-action').onclick = act;
  byId('notice').hidden = false;
}

function toast(text) {
  const element = Object.assign(document.createElement('div'), { className: 'toast', textContent: text });
  byId('toasts').append(element);
  setTimeout(() => element.remove(), 8000);
}

function textOf(delta) {
  return delta.ops.map(({ insert }) => (typeof insert === 'string' ? insert : '')).join('').slice(0, 60);
}

function start() {
  const people = drawPeople(parameters);
  const log = new Log(byId('log'), new Map(people.map(({ user, color }) => [user, color])));
  const url = parameters.get('url') ?? location.origin;
  const desks = people.map((person) => new Desk(person, { url, doc, template: byId('desk') }));
  const tryAgain = () => desks.forEach(({ client, switch: online }) => online.checked && client.connect());
  byId('desks').append(...desks.map(({ element }) => element));

  desks.forEach(({ client, person }) => {
    client.on('event', (event) => log.add(event));
    client.on('error', ({ code, message, refused }) => {
      if (code === NO_SUCH_DOCUMENT) {
        showNotice({
          title: `There is no document “${doc}”`,
          text: 'Create it in psql; this page will find it.',
          command: creation(doc),
          action: 'Try again',
          act: tryAgain,
        });
      } else if (refused.length > 0) {
        toast(`${person.name}: not saved, ${message}. ${refused.map(textOf).join(' ')}`);
      }
    });
    client.on('status', ({ status }) => {
      if (status === 'synced') {
        byId('notice').hidden = true;
      }
    });
  });
  window.addEventListener('beforeunload', (event) => {
    if (desks.some(({ client }) => client.pendingCount > 0)) {
      event.preventDefault();
    }
  });
  /* For the curious, and for tests. */
  window.collab = { clients: desks.map(({ client }) => client), editors: desks.map(({ quill }) => quill) };
}

if (/^[A-Za-z0-9._~-]{1,128}$/.test(doc) && doc !== '.' && doc !== '..') {
  start();
  showCommands(byId('commands'), statements(doc, await connectionLine(parameters)));
} else {
  showNotice({
    title: 'This cannot be the name of a document',
    text: 'A name has 1 to 128 letters, digits and . _ ~ - and is neither . nor ..',
    action: 'Open readme',
    act: () => {
      location.search = '?doc=readme';
    },
  });
}
