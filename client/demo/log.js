/* The last committed rows, in words. */

const SHOWN = 30;

const quoted = (text) => `“${text.length > 24 ? `${text.slice(0, 24)}…` : text}”`.replace(/\n/g, '⏎');

function formats(attributes) {
  return Object.entries(attributes)
    .map(([name, value]) => (value === null ? `no ${name}` : value === true ? name : `${name} ${JSON.stringify(value)}`))
    .join(', ');
}

function describe(delta) {
  let position = 0;
  const words = [];
  for (const { insert, retain, delete: removed, attributes } of delta.ops) {
    if (insert !== undefined) {
      const what = typeof insert === 'string' ? quoted(insert) : Object.keys(insert)[0];
      words.push(`insert ${what} at ${position}`);
      position += typeof insert === 'string' ? insert.length : 1;
    } else if (removed !== undefined) {
      words.push(`delete ${removed} at ${position}`);
    } else {
      if (attributes) {
        words.push(`format ${retain} at ${position}: ${formats(attributes)}`);
      }
      position += retain;
    }
  }
  return words.join('; ') || 'nothing left to change';
}

export class Log {
  constructor(body, colors) {
    this.body = body;
    this.colors = colors;
    this.newest = -1;
  }

  add({ version, user, delta }) {
    if (version <= this.newest) {
      return;
    }
    this.newest = version;
    this.body.querySelector('.nothing')?.remove();
    const row = this.body.insertRow(0);
    const cells = [version, user, describe(delta)].map((text) => {
      const cell = row.insertCell();
      cell.textContent = text;
      return cell;
    });
    cells[1].style.setProperty('--person', this.colors.get(user) ?? '#64748b');
    cells[1].className = 'author';
    while (this.body.rows.length > SHOWN) {
      this.body.deleteRow(-1);
    }
  }
}
