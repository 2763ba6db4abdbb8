/*
 * The manifests of deploy/kubernetes: valid for the API they name, and consistent with each other, with the proxy's settings and with
 * what it answers. No cluster runs here.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Deployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ConfigMap, Service } from 'kubernetes-models/v1';
import { parseDocument } from 'yaml';
import { projectDir } from '../lib/cluster.mjs';
import { Proxy, freePort, proxyBinary } from '../lib/proxy.mjs';

const MODELS = { ConfigMap, Deployment, HorizontalPodAutoscaler, NetworkPolicy, PodDisruptionBudget, Service };
const folder = join(projectDir, 'deploy/kubernetes');
const temporary = mkdtempSync(join(tmpdir(), 'collab-kubernetes-'));
after(() => rmSync(temporary, { recursive: true, force: true }));

function read(name)
{
	const document = parseDocument(readFileSync(join(folder, name), 'utf8'), { strict: true, uniqueKeys: true });
	assert.deepEqual([document.errors, document.warnings], [[], []], name);
	return document.toJS();
}

const kustomization = read('kustomization.yaml');
const manifests = Object.fromEntries(kustomization.resources.map((name) => [read(name).kind, read(name)]));
const pod = manifests.Deployment.spec.template;
const container = (name) => pod.spec.containers.find((c) => c.name === name);
const proxyConf = manifests.ConfigMap.data['proxy.conf'];
const setting = (name) => new RegExp(`^${name} = (.*)$`, 'm').exec(proxyConf)[1];

test('every manifest is listed, and valid for its kind', () =>
{
	assert.deepEqual(readdirSync(folder).filter((name) => name !== 'kustomization.yaml').sort(), [...kustomization.resources].sort());
	for (const [kind, manifest] of Object.entries(manifests))
	{
		assert.ok(MODELS[kind], kind);
		new MODELS[kind](manifest).validate();
	}
	const broken = structuredClone(manifests.HorizontalPodAutoscaler);
	broken.spec.metrics[0].pods.target.averageValue = [8000];
	assert.throws(() => new HorizontalPodAutoscaler(broken).validate(), 'the check can fail');
});

test('whatever selects pods selects these', () =>
{
	const labels = Object.entries(pod.metadata.labels);
	const { Deployment: d, Service: s, PodDisruptionBudget: b, NetworkPolicy: n, HorizontalPodAutoscaler: h } = manifests;
	for (const selector of [d.spec.selector.matchLabels, s.spec.selector, b.spec.selector.matchLabels, n.spec.podSelector.matchLabels,
		pod.spec.topologySpreadConstraints[0].labelSelector.matchLabels])
		for (const entry of Object.entries(selector))
			assert.ok(labels.some(([key, value]) => key === entry[0] && value === entry[1]), `${entry} is a label of the pods`);
	assert.deepEqual(h.spec.scaleTargetRef, { apiVersion: d.apiVersion, kind: d.kind, name: d.metadata.name });
	assert.ok(b.spec.maxUnavailable < h.spec.minReplicas, 'somebody stays');
	const ports = pod.spec.containers.flatMap((c) => c.ports.map((port) => port.name));
	for (const port of [...s.spec.ports.map((p) => p.targetPort), ...n.spec.ingress.flatMap((rule) => rule.ports.map((p) => p.port))])
		assert.ok(ports.includes(port), port);
});

test('the autoscaler aims at 80 % of what a pod holds, by connections and not by CPU', () =>
{
	const { metrics } = manifests.HorizontalPodAutoscaler.spec;
	assert.deepEqual(metrics.map((m) => [m.type, m.pods.metric.name]), [['Pods', 'collab_connections']]);
	assert.equal(Number(metrics[0].pods.target.averageValue), 0.8 * Number(setting('max_connections')));
	assert.match(readFileSync(join(projectDir, 'docs/operations.md'), 'utf8'), /prometheus-adapter/);
});

test('a pod has the time that it needs to end', () =>
{
	const sleep = (name) => Number(container(name).lifecycle.preStop.exec.command[1]);
	const drained = sleep('proxy') + Number(setting('drain_delay_ms')) / 1000 + Number(setting('drain_timeout_ms')) / 1000;
	assert.ok(sleep('edge') > drained, 'the edge outlives the proxy');
	assert.ok(pod.spec.terminationGracePeriodSeconds >= drained + 5);
	assert.ok(pod.spec.terminationGracePeriodSeconds > sleep('edge') + 5);
});

test('nothing in a pod may do more than it has to', () =>
{
	assert.equal(pod.spec.securityContext.runAsNonRoot, true);
	assert.equal(pod.spec.automountServiceAccountToken, false);
	for (const { name, securityContext, resources } of pod.spec.containers)
	{
		assert.deepEqual(securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }, name);
		assert.ok(resources.limits.memory && resources.requests.cpu, name);
	}
});

test('the settings are what the proxy takes, and the probes are answered', { timeout: 30000 }, async () =>
{
	const file = join(temporary, 'proxy.conf');
	writeFileSync(file, proxyConf);
	execFileSync(proxyBinary, ['--check-config', '--config', file]);
	const ports = Object.fromEntries(pod.spec.containers.flatMap((c) => c.ports.map((port) => [port.name, port.containerPort])));
	assert.equal(ports.admin, Number(setting('admin_port')));
	const proxy = new Proxy({ config: { database: 'host=/nonexistent', admin_port: await freePort() } });
	await proxy.start({ wait: false });
	const status = async (path) => (await fetch(`${proxy.admin}${path}`)).status;
	for (;;)
		if (await status('/healthz').catch(() => 0) === 200)
			break;
	const { startupProbe, livenessProbe, readinessProbe } = container('proxy');
	assert.equal(await status(livenessProbe.httpGet.path), 200);
	assert.equal(await status(readinessProbe.httpGet.path), 503, 'there is no database');
	assert.equal(await status(startupProbe.httpGet.path), 503);
	await proxy.stop();
});

test('the edge beside the proxy is an nginx that starts', () =>
{
	const pem = join(temporary, 'tls');
	execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${pem}.key`,
		'-out', `${pem}.crt`, '-subj', '/CN=localhost'], { stdio: 'ignore' });
	const conf = manifests.ConfigMap.data['nginx.conf'];
	assert.match(conf, new RegExp(`server 127\\.0\\.0\\.1:${setting('listen_port')} `));
	assert.match(conf, new RegExp(`listen ${container('edge').ports[0].containerPort} ssl;`));
	const file = join(temporary, 'nginx.conf');
	writeFileSync(file, conf.replaceAll('/tmp/', `${temporary}/`).replaceAll('/etc/collab/tls/tls', pem));
	execFileSync('/usr/sbin/nginx', ['-e', 'stderr', '-t', '-c', file], { stdio: 'pipe' });
});

test('the image is of this version and installs what the build needs', () =>
{
	const version = /^default_version *= *'(.*)'/m.exec(readFileSync(join(projectDir, 'collab.control'), 'utf8'))[1];
	assert.equal(container('proxy').image, `collab-proxy:${version}`);
	const recipe = readFileSync(join(projectDir, 'deploy/Containerfile'), 'utf8');
	assert.match(recipe, new RegExp(`-t collab-proxy:${version} `));
	const build = /^build="(.*?)"/ms.exec(readFileSync(join(projectDir, 'scripts/deps.sh'), 'utf8'))[1].split(/\s+/);
	const installed = /install -y --no-install-recommends ([^&]*?)\nCOPY/s.exec(recipe)[1].split(/[\s\\]+/).filter(Boolean);
	for (const name of installed)
		assert.ok(build.includes(name), name);
	const runtime = /libpq5[^&]*/.exec(recipe)[0].split(/[\s\\]+/).filter(Boolean);
	for (const name of runtime)
		execFileSync('dpkg-query', ['-W', name], { stdio: 'pipe' });
});
