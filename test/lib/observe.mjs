/* What processes and their connections cost, read from /proc: memory, CPU, descriptors, memory of the kernel. */
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100; /* of /proc, on every Linux */
const PAGE = 4096;
/* What a TCP socket is made of, and its place in an epoll set. */
const SLABS = ['TCP', 'TCPv6', 'sock_inode_cache', 'filp', 'eventpoll_epi', 'eventpoll_pwq', 'ep_head', 'request_sock_TCP',
	'tcp_bind_bucket', 'tcp_bind2_bucket', 'skbuff_head_cache'];

/* Bytes of memory in use. */
export const resident = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;

export const openFiles = (pid) => readdirSync(`/proc/${pid}/fd`).length;

function stat(pid)
{
	const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
	return { parent: Number(fields[1]), seconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND };
}

/* User and system time. */
export const cpuSeconds = (pid) => stat(pid).seconds;

/* Of a process and its living children: a PostgreSQL server. */
export function familySeconds(pid)
{
	let sum = 0;
	for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry)))
	{
		try
		{
			const { parent, seconds } = stat(name);
			if (parent === pid || Number(name) === pid)
				sum += seconds;
		}
		catch
		{
			/* gone meanwhile */
		}
	}
	return sum;
}

/* Bytes in the socket buffers of the whole machine, and in the kernel's objects for sockets (null for who may not see them). */
export function kernel()
{
	const buffers = Number(/^TCP: .* mem (\d+)/m.exec(readFileSync('/proc/net/sockstat', 'utf8'))[1]) * PAGE;
	let objects = null;
	try
	{
		objects = readFileSync('/proc/slabinfo', 'utf8').split('\n').map((line) => line.split(/\s+/))
			.filter(([name]) => SLABS.includes(name)).reduce((sum, [, active, , size]) => sum + Number(active) * Number(size), 0);
	}
	catch
	{
		/* root only */
	}
	return { buffers, objects };
}
