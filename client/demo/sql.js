/* The lines for a terminal, each with a button that copies it. */

const UNKNOWN_SERVER = 'psql collab';

/* How to reach the database, as far as the server of this page says so: ?psql=… or demo.json. */
export async function connectionLine(parameters) {
  if (parameters.has('psql')) {
    return parameters.get('psql');
  }
  try {
    const response = await fetch('demo.json');
    return response.ok ? (await response.json()).psql ?? UNKNOWN_SERVER : UNKNOWN_SERVER;
  } catch {
    return UNKNOWN_SERVER;
  }
}

export function statements(doc, psql) {
  const hello = `SELECT collab.insert_text('${doc}', 0, 'Hello from psql ');`;
  return [
    [`${psql} -c "${hello}"`, 'in a terminal: an edit, in both editors the moment it commits'],
    [psql, 'or stay in psql:'],
    [hello, 'insert'],
    [`SELECT collab.replace_text('${doc}', 'Hello', 'Good morning');`, 'search and replace'],
    [`SELECT collab.text('${doc}');`, 'the live text'],
    [`SELECT version, author, op FROM collab.events_since('${doc}', 0) ORDER BY version DESC LIMIT 5;`,
      'who changed what: every edit is a row'],
  ];
}

export function creation(doc) {
  return `SELECT collab.create_document('${doc}');`;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    /* without permission, or over plain http from another machine */
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'unseen';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

export function makeCopyable(element, text) {
  const button = element.querySelector('.copy');
  const code = element.querySelector('code');
  code.textContent = text;
  code.tabIndex = 0;
  button.setAttribute('aria-label', `Copy: ${text}`);
  button.onclick = async () => {
    button.textContent = (await copy(text)) ? 'Copied' : 'Press Ctrl+C';
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 1500);
  };
}

export function showCommands(list, lines) {
  list.replaceChildren(...lines.map(([text, purpose]) => {
    const item = document.createElement('li');
    const command = document.createElement('div');
    command.className = 'command';
    command.append(document.createElement('code'), Object.assign(document.createElement('button'), {
      type: 'button', className: 'copy', textContent: 'Copy',
    }));
    makeCopyable(command, text);
    item.append(Object.assign(document.createElement('p'), { textContent: purpose }), command);
    return item;
  }));
}
