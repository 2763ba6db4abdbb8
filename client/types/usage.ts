/* Compiled by the tests: the types fit what people write. */
import Quill from 'quill';
import { CollabClient, Delta, type ErrorEvent, type Person } from 'collab-client';
import { bindQuill } from 'collab-client/quill';
import { BrowserStore, MemoryStore } from 'collab-client/store';

const client = new CollabClient({
  url: 'ws://127.0.0.1:8080', doc: 'readme', user: 'alice', granularity: 'composed', store: new BrowserStore(),
  backoff: { min: 10 }, params: { token: 'x' }, WebSocket,
});

const end: () => void = client.on('change', ({ delta, source, version }) => {
  const longer: Delta = delta.compose(new Delta().insert('x'));
  console.log(longer.length(), source === 'remote', version);
});
client.on('error', ({ code, refused }: ErrorEvent) => console.log(code, refused.map((delta) => delta.length())));
client.once('saved', ({ version }) => console.log(version));
client.edit(new Delta().retain(1).insert('x', { bold: true }));
client.edit([{ retain: 1 }, { delete: 2 }], { origin: 'me' });
client.setCursor(1, [0, 1]);
client.setCursor(null);
const people: Person[] = client.presence;
const text: string = client.text + client.content.length() + people.length;
await client.whenSaved();

const quill = new Quill('#editor');
bindQuill(client, quill, { readOnly: true }).unbind();
new CollabClient({ url: text, doc: 'a', store: new MemoryStore() });
end();

// @ts-expect-error an event of that name does not exist
client.on('changed', () => {});
// @ts-expect-error the document is missing
new CollabClient({ url: '' });
