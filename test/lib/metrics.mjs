/* Reads Prometheus' text format 0.0.4 as the proxy's admin address shows it. */

/* {families: Map(name -> {type, help, labels: Set}), samples: [{name, labels, value}]}; throws on what it does not know. */
export function parseMetrics(text)
{
	const families = new Map();
	const samples = [];
	for (const line of text.split('\n').filter(Boolean))
	{
		const head = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
		if (head)
		{
			const family = families.get(head[2]) ?? { labels: new Set() };
			family[head[1].toLowerCase()] = head[3];
			families.set(head[2], family);
			continue;
		}
		const sample = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
		if (!sample || Number.isNaN(Number(sample[3])))
			throw new Error(`not a sample: ${line}`);
		const labels = Object.fromEntries([...(sample[2] ?? '').matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, k, v]) => [k, v]));
		const family = families.get(sample[1]) ?? families.get(sample[1].replace(/_(bucket|sum|count)$/, ''));
		if (!family)
			throw new Error(`no HELP and TYPE before ${line}`);
		Object.keys(labels).forEach((label) => family.labels.add(label));
		samples.push({ name: sample[1], labels, value: Number(sample[3]) });
	}
	return { families, samples };
}

/* The sum of the samples with this name and at least these labels. */
export function valueOf({ samples }, name, labels = {})
{
	const found = samples.filter((sample) => sample.name === name
		&& Object.entries(labels).every(([key, value]) => sample.labels[key] === String(value)));
	if (found.length === 0)
		throw new Error(`no ${name} ${JSON.stringify(labels)}`);
	return found.reduce((sum, { value }) => sum + value, 0);
}

export async function readMetrics(base)
{
	const response = await fetch(`${base}/metrics`);
	if (response.status !== 200)
		throw new Error(`/metrics: ${response.status}`);
	return parseMetrics(await response.text());
}

/* The table of docs/metrics.md. */
export function metricsTable({ families, samples })
{
	const rows = [...families].map(([name, { type, help, labels }]) =>
	{
		const names = [...labels].filter((label) => label !== 'le').map((label) =>
		{
			const values = [...new Set(samples.filter((s) => s.name === name).map((s) => s.labels[label]))];
			return label === 'worker' || label === 'version' ? `\`${label}\`` : `\`${label}\`: ${values.join(', ')}`;
		});
		return `| \`${name}\` | ${type} | ${names.join('; ')} | ${help} |`;
	});
	return ['| name | type | labels | meaning |', '|---|---|---|---|', ...rows].join('\n');
}
