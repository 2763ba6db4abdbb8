/*
 * Another document id with the same key. Keys are XXH64 of the id, which is fast and not meant to resist anybody: of 16
 * bytes the first eight are tried, the last eight follow by calculating backwards from the hash.
 */
const MASK = (1n << 64n) - 1n;
const P1 = 11400714785074694791n;
const P2 = 14029467366897019727n;
const P3 = 1609587929392839161n;
const P4 = 9650029242287828579n;
const P5 = 2870177450012600261n;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-';

/* Of an odd number modulo 2^64, by Newton. */
function inverse(a)
{
	let x = a;
	for (let i = 0; i < 6; i++)
		x = x * (2n - a * x) & MASK;
	return x;
}

const [I1, I2, I3] = [P1, P2, P3].map(inverse);
const rotate = (x, bits) => (x << bits | x >> 64n - bits) & MASK;
const round = (word) => rotate(word * P2 & MASK, 31n) * P1 & MASK;
const unround = (value) => rotate(value * I1 & MASK, 33n) * I2 & MASK;

function unavalanche(hash)
{
	let x = (hash ^ hash >> 32n) * I3 & MASK;
	x ^= x >> 29n ^ x >> 58n;
	x = x * I2 & MASK;
	return x ^ x >> 33n;
}

/* key: as SQL tells it, a signed number. */
export function collidingId(key)
{
	const state = rotate((unavalanche(BigInt.asUintN(64, BigInt(key))) - P4 & MASK) * I1 & MASK, 37n);
	const tail = Buffer.alloc(8);
	for (let n = 0; ; n++)
	{
		let head = '';
		for (let rest = n, i = 0; i < 8; i++, rest = Math.floor(rest / ALPHABET.length))
			head += ALPHABET[rest % ALPHABET.length];
		const first = P5 + 16n ^ round(Buffer.from(head).readBigUInt64LE());
		tail.writeBigUInt64LE(unround(state ^ (rotate(first, 27n) * P1 + P4 & MASK)));
		if (tail.every((byte) => ALPHABET.includes(String.fromCharCode(byte))))
			return head + tail.toString('latin1');
	}
}
