/* A private cluster, a database with the extension, and a proxy on it: what an end-to-end test needs. */
import { startCluster } from './cluster.mjs';
import { startProxy } from './proxy.mjs';

export class Stack
{
	/* proxies: how many separate ones there are; `proxy` is the first of `proxies` */
	static async start({ settings = {}, config = {}, proxies = 1 } = {})
	{
		const stack = new Stack();
		stack.cluster = await startCluster({ settings });
		stack.database = stack.cluster.createDatabase('collab');
		stack.proxies = [];
		for (let i = 0; i < proxies; i++)
			stack.proxies.push(await startProxy({ database: stack.database, config: { ...config } }));
		[stack.proxy] = stack.proxies;
		return stack;
	}

	/* Runs SQL as superuser; psql -At text. */
	sql(text)
	{
		return this.database.sql(text);
	}

	createDocument(docId, delta = null)
	{
		const content = delta === null ? 'NULL::text' : `$json$${JSON.stringify(delta)}$json$::collab.delta`;
		this.sql(`SELECT collab.create_document('${docId}', ${content})`);
	}

	/* The content of a document as parsed JSON, at the head or at a version. */
	document(docId, version = null)
	{
		return JSON.parse(this.sql(`SELECT collab.document('${docId}'${version === null ? '' : `, ${version}`})`));
	}

	text(docId)
	{
		return JSON.parse(this.sql(`SELECT to_json(collab.text('${docId}'))`));
	}

	/* The number of events; versions are counted from 1 without gaps, or this throws. */
	versions(docId)
	{
		const [count, highest] = this.sql(`SELECT count(*), coalesce(max(version), 0)
			FROM collab.events_since('${docId}', 0)`).split('|').map(Number);
		if (count !== highest)
			throw new Error(`${docId}: ${count} events, but the head is version ${highest}`);
		return count;
	}

	get url()
	{
		return this.proxy.http.replace('http', 'ws');
	}

	async stop()
	{
		for (const proxy of this.proxies)
			await proxy.stop();
		await this.cluster.destroy();
	}
}
