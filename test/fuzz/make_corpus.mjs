// make_corpus.mjs - node make_corpus.mjs ENCODER DIR: writes the seeds of the fuzzers into DIR/json, DIR/binary, DIR/algebra, DIR/chunk, DIR/segment, DIR/wire, DIR/exchange, DIR/http and DIR/anchor.
// ENCODER is the oracle program: its `encode` request gives the binary form.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [encoder, dir] = process.argv.slice(2);
const deep = (n, open, close) => open.repeat(n) + close.repeat(n);
const seeds = [
  '{"ops":[]}',
  '[]',
  '{"ops":[{"insert":"Hello"}]}',
  '{"ops":[{"retain":5},{"insert":" World","attributes":{"bold":true}},{"delete":3}]}',
  '[{"insert":"a😀b"},{"insert":"é漢\\u2028\\n"}]',
  '[{"insert":"\\ud83d\\ude00"}]',
  '[{"insert":{"image":"a.png"},"attributes":{"alt":"x","width":1.5e2}},{"insert":true},{"insert":7},{"insert":[1,null]}]',
  '[{"insert":{"delta":[{"insert":"in"},{"insert":{"delta":[]}}]}}]',
  '[{"retain":{"delta":[{"retain":1},{"insert":"x"}]},"attributes":{"a":null}}]',
  '[{"retain":3,"attributes":{"bold":null,"link":{"href":"y","rel":["a","b"]}}},{"retain":1},{"delete":2}]',
  '{"type":"insert","pos":5,"content":"X"}',
  '{"type":"delete","pos":0,"length":2}',
  '[{"retain":9007199254740990,"attributes":{"b":-0}},{"insert":"z"}]',
  '[{"insert":"a","attributes":{"n":5e-324,"m":1.7976931348623157e308,"z":0.1,"":""}}]',
  '[{"delete":1},{"insert":"b"},{"delete":1},{"insert":"c"}]',
  '[{"insert":"' + 'x'.repeat(300) + '"}]',
  ' { "ops" : [ { "insert" : "w" , "attributes" : { } } ] } ',
];
const broken = [
  '[{"insert":"\\ud83d"}]', '[{"insert":"\\u0000"}]', '[{"retain":0}]', '[{"retain":1.5}]', '[{"retain":-1}]', '[{"foo":1}]',
  '[{"delete":1,"insert":"Z"}]', '[{"insert":null}]', '[{"retain":{"image":1}}]', '{"ops":[{"insert":"a"}', '[{"insert":"a","attributes":{"k":1,"k":2}}]',
  '[{"insert":' + deep(40, '[', ']') + '}]', '[{"retain":9007199254740992}]', '',
];

const save = (kind, list) => {
  mkdirSync(join(dir, kind), { recursive: true });
  list.forEach((data, i) => writeFileSync(join(dir, kind, `seed-${String(i).padStart(2, '0')}`), data));
};

save('json', [...seeds, ...broken]);

const answer = spawnSync(encoder, { input: seeds.map((s) => `encode\t${s}\n`).join(''), maxBuffer: 1 << 26 });
const binary = answer.stdout.toString().trimEnd().split('\n').map((line) => Buffer.from(line, 'hex'));
if (answer.status !== 0 || binary.length !== seeds.length || binary.some((b) => b.length === 0)) {
  console.error('make_corpus: the encoder did not answer every request');
  process.exit(1);
}
save('binary', [
  ...binary.map((b) => Buffer.concat([Buffer.from([255]), b])), // one delta
  ...binary.slice(1).map((b, i) => Buffer.concat([Buffer.from([binary[i].length]), binary[i], b])), // two
]);

// Decisions: long runs of varied bytes, one for each law and each of a few profiles.
let state = 12345;
const byte = () => ((state = (state * 1103515245 + 12345) >>> 0) >>> 16) & 255;
save('algebra', Array.from({ length: 40 }, (_, i) => Buffer.from([i % 10, (i * 37) & 127, ...Array.from({ length: 60 + 8 * i }, byte)])));

// The same for documents with formats, and some that are written out.
save('render', [
  ...Array.from({ length: 40 }, (_, i) => Buffer.from(Array.from({ length: 20 + 20 * i }, (__, k) => (k === 0 ? 0 : byte())))),
  '[{"insert":"a","attributes":{"link":"https://a/","bold":true}},{"insert":"\\n","attributes":{"list":"ordered","indent":2}},{"insert":"b`"},{"insert":"\\n","attributes":{"code-block":"c"}}]',
  '[{"insert":{"image":"data:image/png;base64,AA=="},"attributes":{"alt":"x","width":"10"}},{"insert":{"video":"/v"}},{"insert":{"formula":"x"}},{"insert":7},{"insert":"\\n","attributes":{"header":1}}]',
]);

// The same for histories; damage to them is in the second half.
save('chunk', Array.from({ length: 40 }, (_, i) => Buffer.from([i % 4, ...Array.from({ length: 30 + 30 * i }, byte)])));

// Objects of the cold store with 0 to 19 chunks; what is in these does not matter.
const integers = (...values) => Buffer.concat(values.map(([bytes, value]) => {
  const buffer = Buffer.alloc(8);
  buffer.writeBigInt64LE(BigInt(value));
  return buffer.subarray(0, bytes);
}));
save('segment', Array.from({ length: 20 }, (_, i) => Buffer.concat([
  Buffer.from('COLLABSG'), integers([4, 1], [4, i], [8, -5], [8, 1], [8, i], [8, 7]),
  ...Array.from({ length: i }, (__, n) => Buffer.concat([integers([4, n + 1]), Buffer.alloc(n + 1, n)])),
])));

// Messages of a client, right and wrong.
const event = '"base_version":45,"base_event":"77ab00112233ccff"';
save('wire', [
  '{"type":"open","site":8211,"last_version":42,"last_event":"9f3c000000000001","pending":2,"name":"Alice \\"\\ud83d\\ude00","color":"#d33"}',
  '{"type":"open","site":1}', '{"type":"open","site":9007199254740991,"last_version":null,"last_event":null,"name":null}',
  '{"type":"open","site":1e3,"last_version":0}', '{"type":"open","site":0}', `{"type":"open","site":1,"name":"${'é'.repeat(33)}"}`,
  `{"type":"op","clock":7,${event},"op":{"ops":[{"insert":"x"}]}}`,
  `{"type":"op","clock":7,${event},"ops":[{"ops":[{"retain":1},{"insert":"é😀"}]},[{"delete":2}]]}`,
  `{"clock":9007199254740991,"type":"op",${event},"ops":[1]}`, `{"type":"op","clock":"7",${event},"op":1,"ops":[]}`,
  `{"type":"op","clock":7,${event},"ops":[${'0,'.repeat(1001)}0]}`, `{"type":"op","clock":1,${event},"op":${deep(70, '[', ']')}}`,
  '{"type":"cursor","version":46,"position":42,"selection":[42,50]}', '{"type":"cursor","version":46,"position":null}',
  '{"type":"cursor","version":46,"position":1,"selection":[1,2,3]}', '{"type":"cursor","version":-1,"position":1.5}',
  '{"type":"heartbeat"}', '{"type":"hearty"}', '{"ty\\u0070e":"heartbeat","type":7}', '{}', '[]', '"', '{"type":"op","clock":7', '',
]);

// Batches of another proxy: kinds of records as proxy/exchange_wire.h numbers them.
const batch = (...records) => Buffer.concat([Buffer.from([1]), integers([8, 77]), Buffer.from([9]), ...records]);
const room = Buffer.concat([Buffer.from([3]), integers([8, -12345])]);
const about = (kind, ...rest) => Buffer.concat([Buffer.from([kind]), integers([8, 4711]), ...rest.map((part) => Buffer.from(part))]);
const string = (text) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
save('exchange', [
  batch(Buffer.from([1])), batch(Buffer.from([2])), batch(room, about(4)), batch(room, about(8), about(9, [0, 3])),
  batch(room, Buffer.from([5]), about(7, string('"alice"'), string('"A\\"\\u00e9"'), string('"#d33"'), [1, 3, 46, 42, 42, 50]), Buffer.from([6])),
  batch(room, about(7, string('"bob"'), [0, 0, 0]), about(9, [1, 0x80, 1, 7]), Buffer.from([10, 2]), integers([8, 99])),
  batch(room, about(7, string('bob'), [0, 0, 0])), batch(about(9, [2, 1])), batch(Buffer.from([11])), Buffer.from([2]), Buffer.alloc(0),
]);

// Heads of HTTP requests, good ones and those that two readers could understand differently.
const head = (line, ...fields) => [line, ...fields, '', ''].join('\r\n');
save('http', [
  head('GET /v1/docs/a%20b?format=text&at=2026-01-01T00%3A00%3A00Z&x=+ HTTP/1.1', 'Host: x', 'Accept: text/html;q=0.5, */*', 'If-None-Match: "1-0f"'),
  head('POST /v1/docs/a/ops?user=%F0%9F%98%80 HTTP/1.1', 'host:x', 'Content-Type: application/json', 'Content-Length: 12', 'Expect: 100-continue') + '{"op":[]}   ',
  head('GET /v1/docs/a/ws?user=b HTTP/1.1', 'Host: x', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='),
  head('GET /v1/docs/a/stream HTTP/1.1', 'Host: x', 'Last-Event-ID: 7-00ff', 'Origin: https://a.example', 'X-Forwarded-For: 10.0.0.1, 10.0.0.2', 'Connection: close, x'),
  head('OPTIONS /v1/docs/a HTTP/1.0', 'Access-Control-Request-Method: PUT'),
  head('PUT / HTTP/1.1', 'Host: x', 'Content-Length: 5', 'Content-Length: 5'), head('PUT / HTTP/1.1', 'Host: x', 'Content-Length: +5'),
  head('PUT / HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked', 'Content-Length: 5'), head('PUT / HTTP/1.1', 'Host: x', 'Host: y'),
  head('GET / HTTP/1.1', 'Host: x', ' folded: 1'), head('GET / HTTP/1.1', 'Host : x'), head('GET / HTTP/1.1', 'Host: x\ny: z'), head('GET /%00 HTTP/1.1', 'Host: x'),
  head('GET http://x/ HTTP/1.1', 'Host: x'), head('GET  / HTTP/1.1', 'Host: x'), head('GET /%zz?%1 HTTP/1.1', 'Host: x'), 'GET / HTTP/1.1\r\nHost: x\r\n', '\r\n\r\n',
]);

// Anchors as core/anchor_codec.c writes them but for the checksum, followed by decisions for the changes that move them.
const packed = (...parts) => Buffer.concat(parts.map((p) => Buffer.from(p)));
const anchors = [
  packed([1, 10, 0, 0, 1, 0x0c, 3], 'fox'),
  packed([1, 4, 2, 0, 0, 3, 2, 6, 0, 0x0d, 6, 0, 0x0c, 3], 'brown fox'),
  packed([1, 4, 4, 0, 5, 1, 0x0d, 5, 0], 'browncrow'),
  packed([1, 7, 3, 5, 0, 2, 0x05, 2, 5, 0, 2, 4, 1], 'é漢'),
  packed([1, 0, 0, 0, 3, 0x0c, 1, 0x0d, 2, 0, 0x0c, 1], 'abcd'),
  packed([1, 5, 0, 0, 1, 0x04, 2, 10], 'a', [255, 1, 2, 3, 4, 5, 6, 7, 8]),
  packed([1, 200, 1, 0, 0, 0]), packed([1, 0, 0, 0, 1, 0, 0xa0, 0x8d, 6]),
];
save('anchor', anchors.flatMap((a, i) => [
  Buffer.concat([Buffer.from([255]), a]),
  Buffer.concat([Buffer.from([a.length]), a, Buffer.from(Array.from({ length: 200 + 40 * i }, byte))]),
]));
