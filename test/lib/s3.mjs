/*
 * A strict stand-in for an S3-compatible store: it recomputes every signature with npm's aws4, checks what was signed
 * against what arrived, keeps objects in a directory, and misbehaves on demand. `tls` ({key, cert}): over HTTPS.
 */
import aws4 from 'aws4';
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const SKEW_MS = 15 * 60 * 1000;
const PLAIN_KEY = /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/;

class Refusal extends Error
{
	constructor(status, code)
	{
		super(code);
		this.status = status;
		this.code = code;
	}
}

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function parseDate(text)
{
	const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? '');
	return found ? Date.UTC(found[1], found[2] - 1, found[3], found[4], found[5], found[6]) : NaN;
}

const xml = (name, content) => `<${name}>${content}</${name}>`;
const escapeXml = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/*
 * A fault is {kind, method?, key? (RegExp), times?, ms?, status?, code?}; it applies to the next `times` requests (default:
 * 1, Infinity: all) that it matches. Kinds:
 *	answer      answers with `status` and `code` instead of doing anything
 *	drop        reads half of a body, then cuts the connection; a GET: sends half of the object, then cuts it
 *	late        does what it should, then waits `ms` before it answers
 *	trickle     sends an object's first byte and then nothing
 *	truncate    GET: half of the object, as if that were all
 *	flip        GET: the object with one bit changed
 *	bloat       GET: the object and a megabyte more
 *	unsaid      does what it should, then cuts the connection instead of answering
 *	forget      PUT: answers 200 and keeps nothing
 *	spoil       PUT: answers 200 and keeps something else
 *	etag        PUT: answers with an ETag that is not the object's
 */
export class S3
{
	constructor({ dir, bucket = 'cold', accessKeyId = 'AKTEST', secretAccessKey = 'secret/with+signs=', sessionToken = null,
		region = 'us-east-1', pageSize = 1000, tls = null })
	{
		Object.assign(this, { dir, bucket, accessKeyId, secretAccessKey, sessionToken, region, pageSize, tls });
		this.requests = []; /* {method, key, status, code} */
		this.faults = [];
		this.sockets = new Set();
		mkdirSync(join(dir, bucket), { recursive: true });
	}

	async start()
	{
		const serve = (req, res) => this.#serve(req, res);
		this.server = this.tls ? createTlsServer(this.tls, serve) : createServer(serve);
		this.server.on('connection', (socket) =>
		{
			this.sockets.add(socket);
			socket.on('close', () => this.sockets.delete(socket));
		});
		await new Promise((resolve) => this.server.listen(this.port ?? 0, '127.0.0.1', resolve));
		this.port = this.server.address().port;
		return this;
	}

	async stop()
	{
		for (const socket of this.sockets)
			socket.destroy();
		await new Promise((resolve) => this.server.close(resolve));
	}

	get endpoint()
	{
		return `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
	}

	/* What the archiver needs to know, and the environment that holds its credentials. */
	get config()
	{
		return { s3_endpoint: this.endpoint, s3_bucket: this.bucket, s3_region: this.region };
	}

	get env()
	{
		return { AWS_ACCESS_KEY_ID: this.accessKeyId, AWS_SECRET_ACCESS_KEY: this.secretAccessKey,
			...(this.sessionToken ? { AWS_SESSION_TOKEN: this.sessionToken } : {}) };
	}

	fault(fault)
	{
		this.faults.push({ times: 1, ...fault });
		return this;
	}

	/* Keys of all objects, ascending. */
	keys()
	{
		const root = join(this.dir, this.bucket);
		return readdirSync(root, { recursive: true }).map(String).filter((name) => statSync(join(root, name)).isFile()).sort();
	}

	path(key)
	{
		return join(this.dir, this.bucket, key);
	}

	/* ---- one request ---- */

	async #serve(req, res)
	{
		const record = { method: req.method, url: req.url };
		this.requests.push(record);
		try
		{
			const { bucket, key, query } = this.#target(req);
			const fault = this.#chooseFault(req.method, key);
			record.key = key;
			record.fault = fault?.kind;
			if (fault?.kind === 'drop' && req.method === 'PUT')
			{
				req.once('data', () => req.socket.destroy());
				return;
			}
			const body = await this.#read(req);
			this.#authenticate(req, body);
			if (fault?.kind === 'answer')
				throw new Refusal(fault.status, fault.code ?? 'InternalError');
			if (bucket !== this.bucket)
				throw new Refusal(404, 'NoSuchBucket');
			await this.#act(req, res, { key, query, body, fault, record });
		}
		catch (error)
		{
			record.status = error.status ?? 500;
			record.code = error.code;
			if (!(error instanceof Refusal))
				record.error = error;
			if (res.destroyed)
				return;
			res.writeHead(record.status, { 'content-type': 'application/xml',
				...(record.status === 307 ? { location: `${this.endpoint}/elsewhere` } : {}) });
			res.end('<?xml version="1.0" encoding="UTF-8"?>\n' + xml('Error', xml('Code', record.code) + xml('Message', 'refused')));
		}
	}

	#target(req)
	{
		const url = new URL(req.url, this.endpoint);
		const [, bucket, ...rest] = req.url.split('?')[0].split('/');
		const key = rest.join('/');
		if (key !== '' && !PLAIN_KEY.test(key))
			throw new Refusal(400, 'InvalidURI');
		return { bucket, key, query: url.searchParams };
	}

	#chooseFault(method, key)
	{
		const fault = this.faults.find((f) => f.times > 0 && (!f.method || f.method === method) && (!f.key || f.key.test(key)));
		if (fault)
			fault.times--;
		return fault;
	}

	async #read(req)
	{
		const parts = [];
		for await (const part of req)
			parts.push(part);
		return Buffer.concat(parts);
	}

	/* Everything that S3 looks at, and that what was signed is what came. */
	#authenticate(req, body)
	{
		const found = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/
			.exec(req.headers.authorization ?? '');
		if (!found)
			throw new Refusal(403, req.headers.authorization ? 'AuthorizationHeaderMalformed' : 'AccessDenied');
		const [, accessKeyId, day, region, service, signedNames, signature] = found;
		const date = req.headers['x-amz-date'];
		const payload = req.headers['x-amz-content-sha256'];
		if (accessKeyId !== this.accessKeyId)
			throw new Refusal(403, 'InvalidAccessKeyId');
		if (region !== this.region || service !== 's3' || day !== date?.slice(0, 8))
			throw new Refusal(400, 'AuthorizationHeaderMalformed');
		if (!(Math.abs(parseDate(date) - Date.now()) <= SKEW_MS))
			throw new Refusal(403, 'RequestTimeTooSkewed');
		if (!/^[0-9a-f]{64}$/.test(payload ?? ''))
			throw new Refusal(400, 'InvalidRequest');
		if (this.sessionToken && req.headers['x-amz-security-token'] !== this.sessionToken)
			throw new Refusal(403, 'ExpiredToken');
		const names = signedNames.split(';');
		const mustBeSigned = Object.keys(req.headers).filter((name) => name === 'host' || name === 'content-type' || name.startsWith('x-amz-'));
		if (mustBeSigned.some((name) => !names.includes(name)))
			throw new Refusal(403, 'AccessDenied');
		const again = aws4.sign({ method: req.method, path: req.url, service: 's3', region,
			headers: Object.fromEntries(names.map((name) => [name, req.headers[name]])) },
		{ accessKeyId: this.accessKeyId, secretAccessKey: this.secretAccessKey });
		const expected = /SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)/.exec(again.headers.Authorization);
		if (expected[1] !== signedNames || !timingSafeEqual(Buffer.from(expected[2]), Buffer.from(signature)))
			throw new Refusal(403, 'SignatureDoesNotMatch');
		if (sha256(body) !== payload)
			throw new Refusal(400, 'XAmzContentSHA256Mismatch');
	}

	/* ---- what it does ---- */

	async #act(req, res, context)
	{
		const { key, fault, record } = context;
		let answer;
		if (key === '' && req.method === 'GET' && context.query.get('list-type') === '2')
			answer = this.#list(context.query);
		else if (key === '')
			throw new Refusal(405, 'MethodNotAllowed');
		else if (req.method === 'PUT')
			answer = this.#put(context);
		else if (req.method === 'GET')
			answer = this.#get(context);
		else if (req.method === 'DELETE')
			answer = this.#remove(key);
		else
			throw new Refusal(405, 'MethodNotAllowed');
		record.status = answer.status;
		if (fault?.kind === 'late')
			await sleep(fault.ms);
		if (fault?.kind === 'unsaid')
			return req.socket.destroy();
		if (fault?.kind === 'drop' || fault?.kind === 'trickle')
			return this.#breakOff(res, answer, fault);
		res.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
		res.end(answer.body);
	}

	#breakOff(res, answer, fault)
	{
		res.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
		const part = fault.kind === 'drop' ? answer.body.length >> 1 : 1;
		res.write(answer.body.subarray(0, part), () =>
		{
			if (fault.kind === 'drop')
				res.destroy();
		});
	}

	#put({ key, body, fault })
	{
		const etag = createHash('md5').update(body).digest('hex');
		if (fault?.kind !== 'forget')
		{
			mkdirSync(dirname(this.path(key)), { recursive: true });
			const kept = Buffer.from(body);
			if (fault?.kind === 'spoil')
				kept[kept.length >> 1] ^= 1;
			writeFileSync(this.path(key), kept);
		}
		return { status: 200, headers: { etag: `"${fault?.kind === 'etag' ? '0'.repeat(32) : etag}"` }, body: Buffer.alloc(0) };
	}

	#get({ key, fault })
	{
		if (!existsSync(this.path(key)) || !statSync(this.path(key)).isFile())
			throw new Refusal(404, 'NoSuchKey');
		let body = readFileSync(this.path(key));
		if (fault?.kind === 'truncate')
			body = body.subarray(0, body.length >> 1);
		else if (fault?.kind === 'flip')
			body[body.length >> 1] ^= 16;
		else if (fault?.kind === 'bloat')
			body = Buffer.concat([body, Buffer.alloc(1 << 20)]);
		return { status: 200, headers: { 'content-type': 'application/octet-stream' }, body };
	}

	#remove(key)
	{
		rmSync(this.path(key), { force: true });
		return { status: 204, headers: {}, body: Buffer.alloc(0) };
	}

	#list(query)
	{
		const prefix = query.get('prefix') ?? '';
		const after = query.get('start-after') ?? '';
		const most = Math.min(Number(query.get('max-keys') ?? 1000), this.pageSize);
		const all = this.keys().filter((key) => key.startsWith(prefix) && key > after);
		const page = all.slice(0, most);
		const entries = page.map((key) => xml('Contents', xml('Key', escapeXml(key)) + xml('Size', statSync(this.path(key)).size)));
		const body = '<?xml version="1.0" encoding="UTF-8"?>\n' + xml('ListBucketResult', xml('Name', this.bucket) + xml('KeyCount', page.length)
			+ xml('IsTruncated', all.length > page.length) + entries.join(''));
		return { status: 200, headers: { 'content-type': 'application/xml' }, body: Buffer.from(body) };
	}
}

export function startS3(options)
{
	return new S3(options).start();
}
