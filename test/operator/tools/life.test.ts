import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tool, type ToolResult } from '../../support/ceremony-tool.ts';
import { Gnupg } from '../../support/gnupg.ts';
import { CeremonyBench, condition, type Found, VAULTS } from '../ceremonies/support.ts';

const PEOPLE = ['ada', 'grace', 'joan', 'eve', 'wendy'];
const ADDRESS = '127.77.2.1';
const gnupg = new Gnupg();
const said: string[] = [];
let bench: CeremonyBench;

beforeAll(async () => {
  for (const name of PEOPLE) gnupg.generate(name);
  bench = await CeremonyBench.start(ADDRESS, []);
  const { data } = await bench.kinds.wait(
    'configmap/demo-ca',
    (found) => found.data?.['ca.crt'] !== undefined,
  );
  writeFileSync(join(bench.kinds.dir, 'ca.crt'), data?.['ca.crt'] ?? '');
});

afterAll(async () => {
  gnupg.close();
  await bench?.close();
});

const cluster = (): string[] => ['--kubeconfig', bench.kinds.plane.kubeconfigPath, '--namespace', VAULTS];

/** A verb, as the guide for the people of a ceremony has it. */
async function run(verb: string, ...args: string[]): Promise<ToolResult> {
  const vault = ['--address', `https://${ADDRESS}:8200`, '--tls-server-name', 'demo-ceremony.vaults.svc'];
  const trust = ['--ca-cert', join(bench.kinds.dir, 'ca.crt')];
  const result = await tool([verb, ...args, '--yes', ...cluster(), ...vault, ...trust], {
    env: { GNUPGHOME: gnupg.home },
  });
  said.push(result.out, result.err);
  expect(result, `${verb} ${args.join(' ')}\n${result.err}`).toMatchObject({ code: 0 });
  return result;
}

async function make(name: string, spec: object): Promise<void> {
  await bench.kinds.apply({
    apiVersion: 'sealedvault.io/v1alpha1',
    kind: 'RecoveryCeremony',
    metadata: { name, namespace: VAULTS },
    spec: { vaultRef: { name: 'demo' }, ...spec },
  } as never);
}

const keyed = (...names: string[]): object[] =>
  names.map((name) => ({ name, publicKey: gnupg.publicKey(name) }));
const agreed = (): object => ({
  people: keyed('eve', 'wendy'),
  approvals: { approvers: ['eve'], required: 1 },
  witnesses: { names: ['wendy'], required: 1 },
});

/** What the operator made of an object that a verb sent. */
async function accepted(what: string): Promise<void> {
  const { status } = await bench.kinds.wait(what, (found) => found.status?.['accepted'] !== undefined);
  expect(status).toMatchObject({ accepted: true });
}

/** Whose report is right, without anything but the file and the digest that people compared. */
async function verified(name: string): Promise<string> {
  const done = await bench.ceremony(
    name,
    (found: Found) => condition(found, 'EvidenceSealed').status === 'True',
  );
  const base = join(bench.kinds.dir, `${name}-report`);
  await run('report', name, '--out', base);
  const digest = String(done.status?.['manifestDigest']);
  const { code, out } = await tool(['verify', `${base}.json`, '--digest', digest]);
  expect([code, out]).toEqual([0, expect.not.stringContaining('Wrong:')]);
  return out;
}

test('Initialize: approved, received, proved and witnessed by the tools', async () => {
  await make('init', {
    type: 'Initialize',
    threshold: 2,
    custodians: keyed('ada', 'grace'),
    rootToken: { never: {} },
    ...agreed(),
  });
  await bench.phase('init', 'AwaitingApproval');
  expect((await run('plan', 'init')).out).toContain('No root token is made.');
  await run('approve', 'init', '--as', 'eve');
  await accepted('ceremonyapproval/init-approval-eve');
  await bench.phase('init', 'TestingKeys');
  await run('key-test', 'init', '--as', 'ada');
  await accepted('sharereceipt/init-key-test-ada');
  // The vault knows nothing of the ceremony yet.
  const told = await tool(['status', 'init', ...cluster()]);
  expect(told.out).toMatch(/ada: key test answered.*\n {2}grace: key test pending/);
  // The way without a network.
  const file = (name: string): string => join(bench.kinds.dir, name);
  await run('plan', 'init', '--out', file('plan.json'));
  await run('fetch', 'init', '--as', 'grace', '--key-test', '--out', file('test.asc'));
  const answer = ['--message', file('test.asc'), '--out', file('answer.json')];
  await run('key-test', file('plan.json'), '--as', 'grace', ...answer);
  await run('key-test', '--in', file('answer.json'));
  await accepted('sharereceipt/init-key-test-grace');
  await bench.phase('init', 'AwaitingWitness');
  for (const name of ['ada', 'grace'])
    await run('receipt', 'init', '--as', name, '--storage', `safe of ${name}`);
  await run('witness', 'init', '--as', 'wendy', '--deviations', 'the call broke off');
  await accepted('ceremonyapproval/init-witness-wendy');
  await bench.phase('init', 'Completed');
  for (const name of ['ada', 'grace']) await accepted(`sharereceipt/init-receipt-${name}`);
  const out = await verified('init');
  expect(out).toContain('with the deviations: the call broke off');
  expect(out).toContain('grace proved to have a share');
  expect(out).toContain('grace signed the answer to the test message');
});

test('RotateRecovery: two custodians give, two get and prove', async () => {
  await make('rotate', {
    type: 'RotateRecovery',
    threshold: 2,
    custodians: keyed('ada', 'joan'),
    ...agreed(),
  });
  await bench.phase('rotate', 'AwaitingApproval');
  await run('approve', 'rotate', '--as', 'eve');
  for (const name of ['ada', 'joan']) await run('key-test', 'rotate', '--as', name);
  await bench.ceremony('rotate', ({ status }) => (status?.['nonce'] ?? '') !== '');
  for (const name of ['ada', 'grace']) await run('submit', 'rotate', '--as', name, '--from', 'init');
  await bench.phase('rotate', 'Proving');
  for (const name of ['ada', 'joan']) {
    await bench.kinds.wait(`secret/rotate-share-${name}`, () => true);
    await run('receipt', 'rotate', '--as', name, '--storage', 'safe 3');
    await accepted(`sharereceipt/rotate-receipt-${name}`);
  }
  await bench.phase('rotate', 'AwaitingWitness');
  expect((await run('status', 'rotate')).out).toMatch(
    /joan: key test answered, share delivered, receipt accepted, proved/,
  );
  await run('witness', 'rotate', '--as', 'wendy');
  await bench.phase('rotate', 'Completed');
  expect(await verified('rotate')).toContain('joan proved to have a share');
});

test('Drill: the shares that are in force are proved', async () => {
  await make('drill', { type: 'Drill' });
  await bench.phase('drill', 'Drilling');
  for (const name of ['ada', 'joan']) await run('drill', 'drill', '--as', name, '--from', 'rotate');
  await bench.phase('drill', 'Completed');
  expect(await verified('drill')).toContain('ada proved to have a share');
});

test('GenerateRoot: the token opens for its requester alone', async () => {
  await make('root', {
    type: 'GenerateRoot',
    people: keyed('eve'),
    requester: 'eve',
    rootToken: { ttl: '1h' },
  });
  await bench.ceremony('root', ({ status }) => (status?.['nonce'] ?? '') !== '');
  expect((await run('plan', 'root')).out).toContain('encrypted to eve');
  for (const name of ['ada', 'joan']) await run('submit', 'root', '--as', name, '--from', 'rotate');
  await bench.phase('root', 'Completed');
  const token = gnupg.decrypt((await run('fetch', 'root', '--root-token')).out).trim();
  expect((await bench.engine.call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(200);
  await verified('root');
  expect(said.join('\n') + bench.engine.logLines.join('\n')).not.toContain(token);
});
