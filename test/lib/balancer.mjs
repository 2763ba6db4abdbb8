/*
 * HAProxy or nginx in front of proxies, with the configuration that is shipped in deploy/: only addresses, the certificate and
 * paths are replaced, and every replacement has to find its place.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectDir } from './cluster.mjs';
import { eventually, freePort } from './proxy.mjs';

const KINDS = {
	haproxy: {
		file: 'haproxy.cfg',
		address: /127\.0\.0\.1:808(\d)$/gm,
		/* Debian has them where only root looks */
		command: (file) => ['/usr/sbin/haproxy', '-db', '-f', file],
		check: (file) => ['/usr/sbin/haproxy', '-c', '-f', file],
		paths: (dir) => [['bind :443 ', 'bind 127.0.0.1:PORT '], ['/etc/collab/edge.pem', join(dir, 'edge.pem')],
			/* more open files than a machine for tests allows */
			['maxconn 60000', 'maxconn 2000']],
	},
	nginx: {
		file: 'nginx.conf',
		address: /127\.0\.0\.1:808(\d)(?= )/gm,
		command: (file) => ['/usr/sbin/nginx', '-e', 'stderr', '-c', file, '-g', 'daemon off;'],
		check: (file) => ['/usr/sbin/nginx', '-e', 'stderr', '-t', '-c', file],
		paths: (dir) => [['listen 443 ', 'listen 127.0.0.1:PORT '], ['/etc/collab/edge.crt', join(dir, 'edge.crt')],
			['/etc/collab/edge.key', join(dir, 'edge.key')], ['/run/nginx-collab.pid', join(dir, 'nginx.pid')],
			['/var/cache/nginx/collab', join(dir, 'cache')], ['worker_connections 60000', 'worker_connections 2000'],
			['worker_rlimit_nofile 120000', 'worker_rlimit_nofile 4000']],
	},
};

function certificate(dir)
{
	execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
		'-keyout', join(dir, 'edge.key'), '-out', join(dir, 'edge.crt'), '-subj', '/CN=localhost',
		'-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'], { stdio: 'ignore' });
	writeFileSync(join(dir, 'edge.pem'), readFileSync(join(dir, 'edge.crt'), 'utf8') + readFileSync(join(dir, 'edge.key'), 'utf8'));
}

export class Balancer
{
	/* ports: of three proxies, as many as the configuration names; edit: changes its text further */
	static async start(kind, ports, { edit = (text) => text } = {})
	{
		const balancer = new Balancer();
		const { file, address, command, check, paths } = KINDS[kind];
		balancer.dir = mkdtempSync(join(tmpdir(), `collab-${kind}-`));
		chmodSync(balancer.dir, 0o755);
		balancer.port = await freePort();
		certificate(balancer.dir);
		let text = readFileSync(join(projectDir, 'deploy', file), 'utf8');
		const found = [...text.matchAll(address)].map((match) => Number(match[1]));
		assert.deepEqual(found, ports.map((_, i) => i + 1), `${file} names as many proxies`);
		text = text.replace(address, (_, number) => `127.0.0.1:${ports[number - 1]}`);
		for (const [from, to] of paths(balancer.dir))
		{
			assert.equal(text.split(from).length, 2, `${file} has "${from}" once`);
			text = text.replace(from, to.replace('PORT', balancer.port));
		}
		const place = join(balancer.dir, file);
		writeFileSync(place, edit(text));
		const [checker, ...checkArgs] = check(place);
		execFileSync(checker, checkArgs, { stdio: ['ignore', 'pipe', 'pipe'] });
		const [program, ...args] = command(place);
		balancer.log = '';
		balancer.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
		for (const stream of [balancer.child.stdout, balancer.child.stderr])
			stream.setEncoding('utf8').on('data', (chunk) => { balancer.log += chunk; });
		balancer.exit = new Promise((resolve) => balancer.child.once('close', resolve));
		balancer.onExit = () => balancer.child.kill('SIGKILL');
		process.on('exit', balancer.onExit);
		await eventually(() => new Promise((resolve) =>
		{
			const socket = connect(balancer.port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
			socket.on('error', () => resolve(false));
		}), { what: `${kind} listens` });
		return balancer;
	}

	get certificate()
	{
		return readFileSync(join(this.dir, 'edge.crt'));
	}

	get url()
	{
		return `wss://127.0.0.1:${this.port}`;
	}

	get https()
	{
		return `https://127.0.0.1:${this.port}`;
	}

	/* One request on a connection of its own. */
	get(path, headers = {})
	{
		return new Promise((resolve, reject) =>
		{
			const asked = request(`${this.https}${path}`, { ca: this.certificate, headers, agent: false }, (response) =>
			{
				let body = '';
				response.setEncoding('utf8').on('data', (chunk) => { body += chunk; });
				response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
			});
			asked.on('error', reject);
			asked.end();
		});
	}

	async stop()
	{
		this.child.kill('SIGTERM');
		await this.exit;
		process.removeListener('exit', this.onExit);
		rmSync(this.dir, { recursive: true, force: true });
	}
}
