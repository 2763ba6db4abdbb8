/* A psql session that listens to the channel `collab`, for tests of what is notified and when. */

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export { sleep };

/* Calls `look` until it gives something true, and gives that; throws after `timeout` milliseconds. */
export async function until(look, what, timeout = 10000)
{
	const end = Date.now() + timeout;
	for (;;)
	{
		const found = await look();
		if (found)
			return found;
		if (Date.now() > end)
			throw new Error(`not within ${timeout} ms: ${what}`);
		await sleep(2);
	}
}

export class Listener
{
	static async open(database)
	{
		const listener = new Listener();
		listener.session = database.session();
		listener.payloads = [];
		await listener.session.query('LISTEN collab');
		return listener;
	}

	/* psql reads what has arrived when a statement ends. */
	async poll()
	{
		const text = await this.session.query('SELECT 1');
		for (const [, payload] of text.matchAll(/Asynchronous notification "collab" with payload "([^"]*)"/g))
			this.payloads.push(payload);
		return this.payloads;
	}

	/* All entries `key:version` so far, in order. */
	async entries()
	{
		return (await this.poll()).flatMap((payload) => payload.split(' '));
	}

	/* Resolves with the milliseconds that it took. */
	async expect(entry, timeout = 10000)
	{
		const start = performance.now();
		await until(async () => (await this.entries()).includes(entry), `notification "${entry}"`, timeout);
		return performance.now() - start;
	}

	/* What arrives in a while in which nothing should. */
	async silence(ms = 100)
	{
		await this.poll();
		const before = this.payloads.length;
		await sleep(ms);
		await this.poll();
		return this.payloads.slice(before);
	}

	forget()
	{
		this.payloads = [];
	}

	close()
	{
		return this.session.close();
	}
}

/* The key of a document as payloads spell it. */
export function hexKey(database, docId)
{
	return database.sql(`SELECT encode(int8send(collab.document_key('${docId}')), 'hex')`);
}

/* Pid of the database's notifier, or 0. */
export function notifierPid(database)
{
	return Number(database.sql(`SELECT coalesce(max(pid), 0) FROM pg_stat_activity
		WHERE backend_type = 'collab notifier' AND datname = current_database()`));
}

/* Makes the database ask for its notifier and waits until it is there. */
export async function wakeNotifier(database)
{
	database.sql(`DO $$ BEGIN PERFORM collab.create_document('wake-notifier'); EXCEPTION WHEN duplicate_object THEN END $$;
		SELECT collab.insert_text('wake-notifier', 0, '.')`);
	return until(() => notifierPid(database), 'a notifier', 20000);
}
