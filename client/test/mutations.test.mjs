/*
 * What the simulated sessions are worth: each rule is broken in turn, and the sessions must notice. A mutation that
 * survives means that a rule is not tested.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Delta } from '../src/delta.js';
import { Engine } from '../src/engine.js';
import { Keeper } from '../src/keeper.js';
import { LocalCursor } from '../src/cursor.js';
import { Sender } from '../src/sender.js';
import { kinds, rough } from './model/kinds.mjs';
import { simulate } from './model/session.mjs';

const MOST_SEEDS = 400;

/* Replaces methods of a class while `act` runs; each is made from the original one. */
async function patched(patches, act) {
  const undo = patches.map(([type, name, make]) => {
    const original = type.prototype[name];
    type.prototype[name] = make(original);
    return () => {
      type.prototype[name] = original;
    };
  });
  try {
    return await act();
  } finally {
    undo.forEach((put) => put());
  }
}

/* The first seed whose session fails. */
async function firstFailure(options) {
  for (let seed = 1; seed <= MOST_SEEDS; seed += 1) {
    try {
      await simulate(seed, options);
    } catch (error) {
      return { seed, error };
    }
  }
  return null;
}

const breaking = kinds['a slow line with disconnects'];

const mutations = {
  'own event taken for somebody else\'s': {
    options: breaking,
    patches: [[Engine, 'isOwn', () => () => false]],
  },
  'acknowledgements ahead of earlier events': {
    options: { ...breaking, rules: { acksAhead: true } },
    patches: [[Engine, 'advance', () => function advance(version, event) {
      this.version = Math.max(this.version, version);
      this.event = event;
    }]],
  },
  'ties decided the other way than on the server': {
    options: breaking,
    patches: [[Engine, 'carry', (carry) => function other(delta, eventFirst, first) {
      return carry.call(this, delta, !eventFirst, first);
    }]],
  },
  'pieces not carried over the event': {
    options: breaking,
    patches: [[Engine, 'carry', (carry) => function unmoved(...all) {
      const before = this.pieces.map(({ delta }) => delta);
      const view = carry.apply(this, all);
      this.pieces.forEach((piece, i) => {
        piece.delta = before[i];
      });
      return view;
    }]],
  },
  'every piece carried over the event as it came': {
    options: kinds['lists after time offline'],
    patches: [[Engine, 'carry', (carry) => function flat(delta, eventFirst, first) {
      const moved = this.pieces.map((piece) => delta.transform(piece.delta, eventFirst));
      const view = carry.call(this, delta, eventFirst, first);
      this.pieces.forEach((piece, i) => {
        piece.delta = moved[i];
      });
      return view;
    }]],
  },
  'a sent piece composed with what is typed after it': {
    options: kinds['edits composed while waiting'],
    patches: [[Engine, 'append', (append) => function careless(delta) {
      this.pieces.forEach((piece) => {
        piece.frozen = false;
      });
      append.call(this, delta);
    }]],
  },
  'sent pieces composed on reconnect': {
    options: { ...breaking, bursts: 0.3 },
    patches: [[Engine, 'disconnected', (disconnected) => function compacted() {
      disconnected.call(this);
      const [first, ...rest] = this.pieces.splice(0);
      if (first !== undefined) {
        first.delta = rest.reduce((delta, piece) => delta.compose(piece.delta), first.delta);
        this.pieces.push(first);
      }
    }]],
  },
  'pieces sent as they were typed': {
    options: breaking,
    patches: [
      [Engine, 'append', (append) => function remembering(delta) {
        append.call(this, delta);
        this.pieces[this.pieces.length - 1].typed = delta;
      }],
      [Engine, 'message', () => function asTyped() {
        const [piece] = this.pieces;
        this.inFlight = 1;
        return {
          type: 'op', clock: piece.clock, base_version: this.version, base_event: this.event, op: piece.typed,
        };
      }],
    ],
  },
  'two messages in flight': {
    options: breaking,
    patches: [[Sender, 'flush', (flush) => function eager() {
      const { inFlight } = this.engine;
      if (inFlight > 0 && this.connected && this.engine.pieces.length > inFlight) {
        const all = this.engine.pieces;
        this.engine.pieces = all.slice(inFlight);
        this.engine.inFlight = 0;
        flush.call(this);
        this.engine.pieces = all;
        this.engine.inFlight += inFlight;
      } else {
        flush.call(this);
      }
    }]],
  },
  'the clock of a refused piece used again': {
    options: { ...kinds['refusals of the moment'], trouble: { latency: 15, moody: 0.3, lateCopy: 0.8 }, pause: 60 },
    patches: [[Engine, 'refuse', (refuse) => function frugal(clock) {
      const result = refuse.call(this, clock);
      this.clock -= this.pieces.length === 0 ? result.refused.length : 0;
      return result;
    }]],
  },
  'a refusal that leaves later pieces where they are': {
    options: kinds.refusals,
    patches: [[Engine, 'refuse', (refuse) => function careless(clock) {
      const before = new Map(this.pieces.map((piece) => [piece, piece.delta]));
      const result = refuse.call(this, clock);
      this.pieces.forEach((piece) => {
        piece.delta = before.get(piece);
      });
      return result;
    }]],
  },
  'a snapshot\'s own pieces kept': {
    options: kinds['lost versions'],
    patches: [[Engine, 'restart', (restart) => function keeping(snapshot) {
      return restart.call(this, { ...snapshot, appliedClock: 0 });
    }]],
  },
  'pieces not carried over the difference to a snapshot': {
    options: kinds['lost versions'],
    patches: [[Engine, 'restart', (restart) => function staying(snapshot) {
      const before = new Map(this.pieces.map((piece) => [piece, piece.delta]));
      const result = restart.call(this, snapshot);
      this.pieces.forEach((piece) => {
        piece.delta = before.get(piece);
      });
      return result;
    }]],
  },
  'cursors that count one\'s own pending pieces': {
    options: breaking,
    patches: [[LocalCursor, 'below', () => function raw() {
      return { position: this.position };
    }], [LocalCursor, 'touch', () => () => {}]],
  },
  'sent before it is kept': {
    options: { ...kinds['pages closed and opened again'], reload: 0.2 },
    patches: [[Keeper, 'keep', (keep) => function later() {
      keep.call(this);
      this.writing = this.writing.then(() => new Promise((resolve) => {
        setTimeout(resolve, 1);
      }));
      return null;
    }]],
  },
  'two tabs with one site': { options: { ...breaking, clients: 2, site: () => 7 }, patches: [] },
  'a server that composes history': { options: { ...breaking, rules: { composesHistory: true } }, patches: [] },
  'a server that forgets what it has applied': { options: { ...breaking, rules: { forgetsOwn: true } }, patches: [] },
};

for (const [name, { options, patches }] of Object.entries(mutations)) {
  test(`noticed: ${name}`, async (t) => {
    const failure = await patched(patches, () => firstFailure(options));
    assert.ok(failure !== null, `${MOST_SEEDS} sessions do not notice`);
    t.diagnostic(`seed ${failure.seed}: ${failure.error.message.split('\n')[0]}`);
  });
}
