/*
 * undo.test.mjs - undo() and redo() among the edits of others, against a model that knows every unit of the text.
 *
 * Every inserted unit is unique, so a document is a set of units and each of them has a history: the event that inserted it, those
 * that deleted and formatted it. An undone event counts as if it had not happened; what must be visible follows from that alone,
 * without transforming anything. UNDO_SEED and UNDO_RUNS choose other cases.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Delta from 'quill-delta';
import { startCluster } from '../lib/cluster.mjs';

const SEED = Number(process.env.UNDO_SEED ?? 20);
const RUNS = Number(process.env.UNDO_RUNS ?? 25);
const TIMEOUT = 60_000 + 5_000 * RUNS;
const STEPS = Number(process.env.UNDO_STEPS ?? 40);
const USERS = ['alice', 'bob', 'carol'];
const ATTRIBUTES = [{ bold: true }, { bold: null }, { color: 'red' }, { color: 'blue' }, { color: null }, { bold: true, color: 'red' }];

let cluster;
let session;

before(async () =>
{
	cluster = await startCluster({ preload: false });
	session = cluster.createDatabase('undo').session();
});
after(async () =>
{
	await session?.close();
	await cluster?.destroy();
});

/* mulberry32 */
function randomOf(seed)
{
	let a = seed >>> 0;
	const next = () =>
	{
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), 1 | a);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
	return { below: (n) => Math.floor(next() * n), chance: (percent) => next() * 100 < percent, pick: (list) => list[Math.floor(next() * list.length)] };
}

/* A document as units: [{ id, attributes }], a character or an embed each. */
function unitsOf(content)
{
	const units = [];
	for (const { insert, attributes = {} } of content.ops)
		for (const id of typeof insert === 'string' ? insert : [JSON.stringify(insert)])
			units.push({ id, attributes });
	return units;
}

/* ---- the model ---- */

class Model
{
	constructor()
	{
		this.events = []; /* [version - 1]: { author, inserted: Map id -> attributes, deleted: [id], formatted: [[id, attributes]] } */
		this.undone = [];
	}

	/* What the change does to which unit of the document before it. */
	add(author, change, units)
	{
		const event = { author, inserted: new Map(), deleted: [], formatted: [] };
		let at = 0;
		for (const op of change.ops)
		{
			if (op.insert !== undefined)
				for (const { id, attributes } of unitsOf({ ops: [op] }))
					event.inserted.set(id, attributes);
			else if (op.delete)
				for (let i = 0; i < op.delete; i++)
					event.deleted.push(units[at++].id);
			else
				for (let i = 0; i < op.retain; i++, at++)
					if (op.attributes)
						event.formatted.push([units[at].id, op.attributes]);
		}
		this.events.push(event);
	}

	/* An event that undid or redid something changes which events count, nothing else. */
	addUndo(row)
	{
		this.events.push(null);
		this.undone.push(row);
	}

	/* Does the event count? Not if an undo covers it that no redo took back. */
	isLive(version)
	{
		const redone = (undo) => this.undone.some((r) => r.redo && r.author === undo.author && r.first <= undo.version && undo.version <= r.last);
		const { author } = this.events[version - 1];
		return !this.undone.some((u) => !u.redo && u.author === author && u.first <= version && version <= u.last && !redone(u));
	}

	visible(isLive = (version) => this.isLive(version))
	{
		const units = new Map();
		this.events.forEach((event, i) =>
		{
			if (!event || !isLive(i + 1))
				return;
			for (const [id, attributes] of event.inserted)
				units.set(id, { ...attributes });
			for (const id of event.deleted)
				units.delete(id);
			for (const [id, attributes] of event.formatted)
				if (units.has(id))
					for (const [key, value] of Object.entries(attributes))
						if (value === null)
							delete units.get(id)[key];
						else
							units.get(id)[key] = value;
		});
		return units;
	}
}

const sorted = (entries) => [...entries].map(([id, attributes]) => [id, Object.entries(attributes).sort()]).sort((a, b) => (a[0] < b[0] ? -1 : 1));

/* ---- one run ---- */

class Run
{
	/* exact: the model knows what must be there; ordered: what was there before stays in its order */
	constructor(seed, { exact = true, ordered = false } = {})
	{
		this.exact = exact;
		this.ordered = ordered;
		this.random = randomOf(seed);
		this.doc = `undo-${seed}`;
		this.label = `UNDO_SEED=${seed} UNDO_RUNS=1`;
		this.next = 0x4e00;
		this.model = new Model();
		this.content = new Delta();
		this.text = []; /* ids in the order in which they were typed at the start */
	}

	async json(sql)
	{
		const out = await session.query(sql);
		return out === '' ? null : JSON.parse(out.split('\n').at(-1));
	}

	async as(user, call)
	{
		return this.json(`SET collab.user_id = '${user}'; SELECT ${call}`);
	}

	insertOp()
	{
		const attributes = this.random.chance(20) ? { bold: true } : undefined;
		if (this.random.chance(15))
			return { insert: { n: this.next++ }, attributes };
		let text = '';
		for (let n = 1 + this.random.below(4); n > 0; n--)
			text += String.fromCharCode(this.next++);
		return { insert: text, attributes };
	}

	/* A change of one to three places. */
	change()
	{
		const length = this.content.length();
		const change = new Delta();
		let at = 0;
		for (let places = 1 + this.random.below(3); places > 0; places--)
		{
			const skip = this.random.below(Math.min(length - at, 12) + 1);
			change.retain(skip);
			at += skip;
			const rest = Math.min(length - at, 5);
			const count = 1 + this.random.below(Math.max(rest, 1));
			const what = this.random.below(10);
			if (what < 5 || rest === 0)
			{
				const { insert, attributes } = this.insertOp();
				change.insert(insert, attributes);
			}
			else if (what < 8)
			{
				change.delete(count);
				at += count;
			}
			else
			{
				change.retain(count, this.random.pick(ATTRIBUTES));
				at += count;
			}
		}
		return change.chop();
	}

	async edit(user)
	{
		const change = this.change();
		await this.as(user, `collab.submit('${this.doc}', '${JSON.stringify(change.ops)}')`);
		this.model.add(user, change, unitsOf(this.content));
		this.content = this.content.compose(change);
	}

	/* The units that should be there, with their formats. */
	async check(what)
	{
		const content = new Delta(await this.json(`SELECT collab.document('${this.doc}')`));
		const units = unitsOf(content);
		assert.deepEqual(sorted(units.map((u) => [u.id, u.attributes])), sorted(this.model.visible()), `${this.label}: ${what}`);
		if (this.ordered)
		{
			const before = unitsOf(this.content).map((u) => u.id);
			const kept = new Set(units.map((u) => u.id));
			const known = new Set(before);
			const original = new Set(this.text);
			assert.deepEqual(units.map((u) => u.id).filter((id) => known.has(id)), before.filter((id) => kept.has(id)),
				`${this.label}: ${what}: what was there is where it was`);
			assert.deepEqual(units.map((u) => u.id).filter((id) => original.has(id)), this.text.filter((id) => kept.has(id)),
				`${this.label}: ${what}: the first text is in its order`);
		}
		this.content = content;
	}

	/* Gives the version of the undoing event, or null. */
	async undo(caller, user, redo, edits, gap)
	{
		const version = await this.as(caller, `collab.${redo ? 'redo' : 'undo'}('${this.doc}', '${user}', ${edits}, '${gap}')`);
		if (version === null)
		{
			if (!redo && this.exact)
			{
				/* then there is nothing of this user's left that would make a difference */
				const without = this.model.visible((v) => this.model.isLive(v) && this.model.events[v - 1].author !== user);
				assert.deepEqual(sorted(this.model.visible()), sorted(without), `${this.label}: nothing to undo`);
			}
			return null;
		}
		const [first, last, redone] = await this.json(`SELECT jsonb_build_array(u.first_version, u.last_version, u.redo) FROM collab.undone u
			WHERE u.doc = collab.document_key('${this.doc}') AND u.version = ${version}`);
		assert.equal(redone, redo);
		assert.equal(version, this.model.events.length + 1);
		this.model.addUndo({ version, author: user, redo, first, last });
		await this.checkTouched(user, version);
		if (this.exact)
			await this.check(`${caller}: ${redo ? 'redo' : 'undo'} of ${user}'s ${first} to ${last}`);
		else
			this.content = new Delta(await this.json(`SELECT collab.document('${this.doc}')`));
		return version;
	}

	/* The event puts in and deletes only what its user did before, and formats only what he formatted. */
	async checkTouched(user, version)
	{
		const own = this.model.events.filter((event) => event?.author === user);
		const change = new Delta(await this.json(`SELECT op FROM collab.events_since('${this.doc}', ${version - 1}, 1)`));
		const touched = new Model();
		touched.add(user, change, unitsOf(this.content));
		const [{ inserted, deleted, formatted }] = touched.events;
		const message = `${this.label}: version ${version} touches what is not ${user}'s`;
		assert.ok(change.ops.length > 0, `${this.label}: version ${version} does nothing`);
		assert.ok([...inserted.keys(), ...deleted].every((id) => own.some((event) => event.inserted.has(id) || event.deleted.includes(id))), message);
		assert.ok(formatted.every(([id, attributes]) => Object.keys(attributes).every((key) =>
			own.some((event) => event.formatted.some(([other, set]) => other === id && key in set)))), message);
	}

	async start()
	{
		const { insert } = { insert: Array.from({ length: 12 }, () => String.fromCharCode(this.next++)).join('') };
		this.text = [...insert];
		await this.as('owner', `collab.create_document('${this.doc}', '[{"insert":"${insert}"}]'::collab.delta)`);
		const change = new Delta().insert(insert);
		this.model.add('owner', change, []);
		this.content = change;
	}
}

/* ---- tests ---- */

test('all edits of one user are taken back, and nothing of the others', { timeout: TIMEOUT }, async () =>
{
	for (let seed = SEED; seed < SEED + RUNS; seed++)
	{
		const run = new Run(seed, { ordered: true });
		await run.start();
		for (let step = 0; step < STEPS; step++)
			await run.edit(run.random.pick(USERS));
		await run.undo('alice', 'alice', false, 1000, '1 day');
		assert.equal(await run.undo('alice', 'alice', false, 1000, '1 day'), null, 'nothing is left to undo');
		await run.undo('alice', 'alice', true, 1, '0');
		assert.equal(await run.undo('alice', 'alice', true, 1, '0'), null, 'nothing is left to redo');
	}
});

/* Undos and redos between edits. `undoers`: who undoes; the others only edit. */
async function mix(firstSeed, undoers, options)
{
	let undos = 0;
	let redos = 0;
	for (let seed = firstSeed; seed < firstSeed + RUNS; seed++)
	{
		const run = new Run(seed, options);
		await run.start();
		for (let step = 0; step < STEPS; step++)
		{
			const user = run.random.pick(undoers);
			const caller = run.random.chance(85) ? user : run.random.pick(USERS);
			const edits = run.random.chance(80) ? 1 : 1 + run.random.below(3);
			const gap = run.random.chance(90) ? '0' : '3 milliseconds';
			const what = run.random.below(10);
			if (what < 6)
				await run.edit(run.random.chance(50) ? user : run.random.pick(USERS));
			else if (what < 8)
				undos += await run.undo(caller, user, false, edits, gap) !== null;
			else
				redos += await run.undo(caller, user, true, edits, gap) !== null;
		}
	}
	assert.ok(undos > RUNS && redos > RUNS / 4, `there were ${undos} undos and ${redos} redos`);
}

/* Text that was taken back and brought back several times may come to stand on the other side of what others wrote just there meanwhile. */
test('undo and redo of one user among edits of all', { timeout: TIMEOUT }, () => mix(SEED + 100_000, ['alice']));

/*
 * Where a text is deleted by one user and the other then undoes having written it, the first one's undo brings it back all the same: to
 * undo is to write an edit, and that one had nothing left to do. So here the model does not know everything.
 */
test('undo and redo of all users among edits of all touch nothing of the others', { timeout: TIMEOUT }, () => mix(SEED + 200_000, USERS, { exact: false }));
