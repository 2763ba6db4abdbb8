/*
 * Many connections at once: runs the load generator build/bench/crowd (bench/connections), several processes of it where one may not
 * open enough files, and adds up what they say.
 */
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { projectDir } from './cluster.mjs';

const PER_PROCESS = 18000; /* of the usual 20,000 open files */
const SOURCES = 4; /* addresses of each process: 28,232 ports each */

/* Summed over the processes, or the worst of them. */
const SUMMED = ['here', 'connecting', 'waiting', 'opened', 'lost', 'refused', 'left', 'errors', 'retries', 'beats', 'answered', 'missed',
	'acked', 'delivered', 'cursors', 'cpu_seconds'];

function addUp(states)
{
	const sum = {};
	for (const key of Object.keys(states[0]))
	{
		const values = states.map((state) => state[key]);
		if (SUMMED.includes(key))
			sum[key] = values.reduce((a, b) => a + b, 0);
		else if (typeof values[0] === 'number')
			sum[key] = Math.max(...values);
	}
	return sum;
}

class CrowdProcess
{
	constructor(program, args)
	{
		this.child = spawn(program, args.map(String), { stdio: ['pipe', 'pipe', 'inherit'] });
		this.exit = new Promise((resolve) => this.child.once('close', resolve));
		this.child.stdin.on('error', () => {});
		this.waiting = [];
		createInterface({ input: this.child.stdout }).on('line', (line) =>
		{
			this.state = JSON.parse(line);
			const index = this.waiting.findIndex(({ after }) => after === this.state.after);
			if (index >= 0)
				this.waiting.splice(index, 1)[0].resolve(this.state);
		});
	}

	/* Resolves with the state right after the command; '' stands for the next regular one. */
	tell(command)
	{
		const after = command.split(' ')[0];
		return new Promise((resolve, reject) =>
		{
			this.waiting.push({ after, resolve });
			this.exit.then(() => reject(new Error('the crowd has ended')));
			if (command !== '')
				this.child.stdin.write(`${command}\n`);
		});
	}
}

export class Crowd
{
	/* Person k is in document PREFIX-(k / perDocument); those must exist and have 200 units of text. */
	static start({ port, connections, prefix = 'crowd', perDocument = 5, window = 200, heartbeat = 5000 })
	{
		execFileSync('make', ['-s', '-C', join(projectDir, 'bench/connections')], { stdio: ['ignore', 'ignore', 'inherit'] });
		const crowd = new Crowd();
		const count = Math.ceil(connections / PER_PROCESS);
		crowd.size = connections;
		crowd.perDocument = perDocument;
		crowd.processes = Array.from({ length: count }, (_, i) =>
		{
			/* nobody shares a document with another process: its times would not be known */
			const share = (k) => Math.round(k * connections / count / perDocument) * perDocument;
			const first = share(i);
			const people = (i === count - 1 ? connections : share(i + 1)) - first;
			return Object.assign(new CrowdProcess(join(projectDir, 'build/bench/crowd'), ['--port', port, '--connections', people, '--first', first,
				'--prefix', prefix, '--per-document', perDocument, '--source', `127.0.0.${2 + i * SOURCES}`, '--sources', SOURCES,
				'--window', Math.ceil(window / count), '--heartbeat', heartbeat]), { people });
		});
		return crowd;
	}

	/* How many documents the people of one crowd need. */
	static documents({ connections, perDocument = 5 })
	{
		return Math.ceil(connections / perDocument);
	}

	async tell(command)
	{
		return addUp(await Promise.all(this.processes.map((process) => process.tell(command))));
	}

	/* The same for commands whose number is to be shared out. */
	async share(word, number, rest = '')
	{
		const states = this.processes.map((process, i) =>
		{
			const [from, to] = [i, i + 1].map((k) => Math.round(k * number / this.processes.length));
			return process.tell(`${word} ${to - from} ${rest}`.trim());
		});
		return addUp(await Promise.all(states));
	}

	/* The first `number` people of all. */
	async come(number = this.size)
	{
		let left = number;
		const states = this.processes.map((process) =>
		{
			const people = Math.min(process.people, left);
			left -= people;
			return process.tell(`come ${people}`);
		});
		return addUp(await Promise.all(states));
	}

	/* Once a second: until `check` says so of the state, which is returned. `each` may show it. */
	async until(check, { timeout = 60000, what = 'the crowd', each = () => {} } = {})
	{
		const end = Date.now() + timeout;
		for (;;)
		{
			const state = await this.tell('');
			await each(state);
			if (check(state))
				return state;
			if (Date.now() > end)
				throw new Error(`${what}: not reached within ${timeout} ms: ${JSON.stringify(state)}`);
		}
	}

	async stop()
	{
		for (const { child } of this.processes)
			child.kill();
		await Promise.all(this.processes.map(({ exit }) => exit));
	}
}
