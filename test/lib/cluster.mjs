/*
 * A private PostgreSQL cluster for tests: made in a temporary directory, reached over a Unix socket, run by an
 * unprivileged user, gone when the test process ends. PG_CONFIG chooses the installation.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, mkdtempSync, chownSync, chmodSync, writeFileSync, appendFileSync,
	openSync, closeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectDir = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');

/* So that the handlers of 'exit' run, which leave no server and no directory behind. */
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
	process.on(signal, () => process.exit(1));

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function pgConfig(name)
{
	return execFileSync(process.env.PG_CONFIG || 'pg_config', ['--' + name], { encoding: 'utf8' }).trim();
}

/* PostgreSQL refuses to run as root: then servers run as COLLAB_TEST_USER, `postgres` or `nobody`. */
function serverUser()
{
	if (process.getuid() !== 0)
		return null;
	for (const name of [process.env.COLLAB_TEST_USER, 'postgres', 'nobody'])
	{
		const line = name && readFileSync('/etc/passwd', 'utf8').split('\n').find((l) => l.startsWith(name + ':'));
		if (line)
			return { name, uid: Number(line.split(':')[2]), gid: Number(line.split(':')[3]) };
	}
	throw new Error('no unprivileged user to run PostgreSQL as: set COLLAB_TEST_USER');
}

/* Text rows of psql -At, fields separated by `|`. */
export class PsqlError extends Error {}

/* A psql that stays open, for transactions and locks that span several steps of a test. */
class PsqlSession
{
	constructor(child)
	{
		this.child = child;
		this.buffer = '';
		this.waiting = null;
		this.count = 0;
		const take = (chunk) =>
		{
			this.buffer += chunk;
			const at = this.waiting ? this.buffer.indexOf(this.waiting.mark) : -1;
			if (at < 0)
				return;
			const text = this.buffer.slice(0, at).trim();
			const { resolve, reject } = this.waiting;
			this.buffer = this.buffer.slice(at + this.waiting.mark.length + 1);
			this.waiting = null;
			if (/^(psql:.*)?(ERROR|FATAL|PANIC):/m.test(text))
				reject(new PsqlError(text));
			else
				resolve(text);
		};
		child.stdout.setEncoding('utf8').on('data', take);
		child.on('exit', () => this.waiting && this.waiting.reject(new PsqlError('psql ended: ' + this.buffer)));
	}

	/* Resolves with the output when the statement has finished. */
	query(sql)
	{
		const mark = '--done-' + ++this.count;
		return new Promise((resolve, reject) =>
		{
			this.waiting = { mark, resolve, reject };
			this.child.stdin.write(`${sql.replace(/;?\s*$/, ';')}\n\\echo ${mark}\n`);
		});
	}

	async close()
	{
		if (this.child.exitCode !== null)
			return;
		const gone = new Promise((resolve) => this.child.once('exit', resolve));
		this.child.stdin.end('\\q\n');
		await gone;
	}
}

export class Cluster
{
	/*
	 * options: settings {name: value}, preload (default: the collab library when it is installed), env (of the server's
	 * processes, besides the few that they need)
	 */
	constructor(options = {})
	{
		this.bin = pgConfig('bindir');
		this.user = serverUser();
		this.dir = mkdtempSync(join(process.env.COLLAB_TEST_TMP || tmpdir(), 'collab-'));
		this.data = join(this.dir, 'data');
		this.log = join(this.dir, 'server.log');
		this.port = 5432; /* names the socket file only */
		this.options = options;
		if (this.user)
			chownSync(this.dir, this.user.uid, this.user.gid);
		this.onExit = () => this.#destroySync();
		process.on('exit', this.onExit);
	}

	#spawnOptions(extra = {})
	{
		const ids = this.user ? { uid: this.user.uid, gid: this.user.gid } : {};
		const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', TZ: 'UTC', HOME: this.dir, ...this.options.env };
		return { cwd: this.dir, env, ...ids, ...extra };
	}

	init()
	{
		execFileSync(join(this.bin, 'initdb'), ['-D', this.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8',
			'--locale=C.UTF-8', '--no-sync', '--no-instructions'], this.#spawnOptions({ stdio: 'pipe' }));
		const hasLibrary = existsSync(join(pgConfig('pkglibdir'), 'collab.so'));
		const settings = {
			listen_addresses: '', unix_socket_directories: this.dir, port: this.port, max_connections: 60,
			shared_buffers: '64MB', log_line_prefix: '%m [%p] %q%u@%d ', log_checkpoints: 'off', timezone: 'UTC',
			shared_preload_libraries: (this.options.preload ?? hasLibrary) ? 'collab' : '',
			...this.options.settings,
		};
		appendFileSync(join(this.data, 'postgresql.conf'),
			Object.entries(settings).map(([k, v]) => `${k} = '${v}'\n`).join(''));
	}

	async start()
	{
		const fd = openSync(this.log, 'a');
		if (this.user)
			chownSync(this.log, this.user.uid, this.user.gid);
		this.postmaster = spawn(join(this.bin, 'postgres'), ['-D', this.data],
			this.#spawnOptions({ stdio: ['ignore', fd, fd] }));
		closeSync(fd);
		this.postmaster.once('exit', () => { this.exited = true; });
		this.exited = false;
		for (let i = 0; i < 600; i++)
		{
			if (this.exited)
				throw new Error('PostgreSQL did not start:\n' + this.logTail());
			try
			{
				execFileSync(join(this.bin, 'pg_isready'), ['-q', '-h', this.dir, '-p', String(this.port), '-U', 'postgres', '-d', 'postgres']);
				return this;
			}
			catch
			{
				await sleep(100);
			}
		}
		throw new Error('PostgreSQL is not ready after 60 s:\n' + this.logTail());
	}

	logTail(bytes = 4000)
	{
		return existsSync(this.log) ? readFileSync(this.log, 'utf8').slice(-bytes) : '';
	}

	/* A libpq connection string. */
	conninfo(database, user = 'postgres')
	{
		return `host=${this.dir} port=${this.port} dbname=${database} user=${user}`;
	}

	#psqlArgs(database, user)
	{
		return ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', this.conninfo(database, user)];
	}

	/* Runs SQL text and returns psql's output without the last newline. Throws PsqlError. */
	sql(text, { database = 'postgres', user = 'postgres' } = {})
	{
		try
		{
			return execFileSync(join(this.bin, 'psql'), [...this.#psqlArgs(database, user), '-v', 'VERBOSITY=verbose'],
				{ input: text, encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 30, cwd: '/' }).replace(/\n$/, '');
		}
		catch (error)
		{
			throw new PsqlError(error.stderr || error.message);
		}
	}

	session({ database = 'postgres', user = 'postgres' } = {})
	{
		/* one pipe for both, so that an error stands where it happened */
		return new PsqlSession(spawn('sh', ['-c', 'exec "$0" "$@" 2>&1', join(this.bin, 'psql'), '-XAtq', '-d',
			this.conninfo(database, user)], { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/' }));
	}

	/*
	 * A database with the extension and the roles of deploy/roles.sql. `install: sql` runs that text instead of
	 * CREATE EXTENSION.
	 */
	createDatabase(name, { install = null } = {})
	{
		const roles = join(projectDir, 'deploy/roles.sql');
		this.sql(`CREATE DATABASE "${name}" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'`);
		if (existsSync(roles))
			this.sql(readFileSync(roles, 'utf8'), { database: name });
		this.sql(install ?? 'CREATE EXTENSION collab', { database: name });
		/* the script grants to roles that exist, and may have to grant on what the extension brought */
		if (existsSync(roles))
			this.sql(readFileSync(roles, 'utf8'), { database: name });
		return new Database(this, name);
	}

	/* mode: smart, fast, immediate */
	async stop(mode = 'fast')
	{
		if (!this.postmaster || this.exited)
			return;
		const gone = new Promise((resolve) => this.postmaster.once('exit', resolve));
		this.postmaster.kill({ smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' }[mode]);
		await gone;
	}

	/* Pids of the postmaster's children; each leads a session of its own, so only /proc tells. */
	#children()
	{
		const found = [];
		for (const entry of readdirSync('/proc'))
		{
			if (!/^\d+$/.test(entry))
				continue;
			try
			{
				const stat = readFileSync(`/proc/${entry}/stat`, 'latin1');
				if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === this.postmaster.pid)
					found.push(Number(entry));
			}
			catch { /* ended meanwhile */ }
		}
		return found;
	}

	/* SIGKILL for every process of the server: what a power cut is to the software. */
	async crash()
	{
		const gone = new Promise((resolve) => this.postmaster.once('exit', resolve));
		this.postmaster.kill('SIGSTOP'); /* no new children while we look */
		const children = this.#children();
		this.postmaster.kill('SIGKILL');
		for (const pid of children)
			try { process.kill(pid, 'SIGKILL'); } catch { /* ended meanwhile */ }
		await gone;
		for (let i = 0; i < 100 && children.some((pid) => existsSync(`/proc/${pid}`)); i++)
			await sleep(20);
	}

	/* SIGSTOP for every process of the server: it keeps its connections and says nothing any more. */
	freeze()
	{
		this.postmaster.kill('SIGSTOP');
		this.frozen = this.#children();
		for (const pid of this.frozen)
			try { process.kill(pid, 'SIGSTOP'); } catch { /* ended meanwhile */ }
	}

	thaw()
	{
		for (const pid of this.frozen)
			try { process.kill(pid, 'SIGCONT'); } catch { /* ended meanwhile */ }
		this.postmaster.kill('SIGCONT');
	}

	async restart(mode = 'fast')
	{
		await this.stop(mode);
		await this.start();
	}

	#destroySync()
	{
		if (this.postmaster && !this.exited)
		{
			const children = this.#children();
			try { this.postmaster.kill('SIGKILL'); } catch { /* gone */ }
			for (const pid of children)
				try { process.kill(pid, 'SIGKILL'); } catch { /* gone */ }
		}
		if (!process.env.COLLAB_TEST_KEEP)
			rmSync(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
	}

	async destroy()
	{
		await this.stop('immediate');
		process.removeListener('exit', this.onExit);
		this.#destroySync();
	}
}

export class Database
{
	constructor(cluster, name)
	{
		this.cluster = cluster;
		this.name = name;
	}

	conninfo(user = 'postgres')
	{
		return this.cluster.conninfo(this.name, user);
	}

	sql(text, user = 'postgres')
	{
		return this.cluster.sql(text, { database: this.name, user });
	}

	session(user = 'postgres')
	{
		return this.cluster.session({ database: this.name, user });
	}
}

/*
 * A hot standby of `primary`, which needs max_wal_senders. `upstream`: where it streams from, a libpq connection string (through a
 * faulty network, say); the primary itself by default.
 */
export async function startStandby(primary, { upstream = null } = {})
{
	const standby = new Cluster({ preload: true });
	const ids = standby.user ? { uid: standby.user.uid, gid: standby.user.gid } : {};
	execFileSync(join(standby.bin, 'pg_basebackup'), ['-R', '-c', 'fast', '--no-sync', '-D', standby.data, '-d', primary.conninfo('postgres')],
		{ ...ids, stdio: 'pipe', cwd: standby.dir });
	chmodSync(standby.data, 0o700);
	appendFileSync(join(standby.data, 'postgresql.conf'), `unix_socket_directories = '${standby.dir}'\n`);
	if (upstream !== null)
		appendFileSync(join(standby.data, 'postgresql.auto.conf'), `primary_conninfo = '${upstream}'\n`);
	await standby.start();
	return standby;
}

export async function startCluster(options = {})
{
	const cluster = new Cluster(options);
	cluster.init();
	await cluster.start();
	return cluster;
}
