import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../src/lib/clock.ts';
import { until } from '../../support/cluster/command.ts';
import { CeremonyBench, condition, type Found, VAULTS } from './support.ts';

/** Ceremonies while the API server is away for an hour, and while two operators both believe to lead. */
const HOUR_MS = 3_600_000;
const custodians = ['ada', 'grace', 'edith'];
const shares = new Map<string, string>();
const share = (who: string): string => shares.get(who) ?? '';
let bench: CeremonyBench;
let passed = 0;

beforeAll(async () => {
  bench = await CeremonyBench.start('127.77.8.1', [...custodians, 'boss']);
  await bench.kinds.stopOperator();
  bench.kinds.clock = {
    now: () => systemClock.now() + passed,
    monotonic: () => systemClock.monotonic() + passed,
    sleep: (ms, options) => systemClock.sleep(ms, options),
  };
  bench.kinds.startOperator();
});

afterAll(async () => {
  const log = bench.kinds.log.join('');
  for (const canary of [bench.engine.root, ...shares.values()])
    if (canary !== '') expect(log).not.toContain(canary);
  await bench?.close();
});

/** The API server is gone as by a power cut, an hour passes, and it is back. */
async function outage(meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<void> {
  await bench.kinds.plane.killApiServer();
  await meanwhile();
  passed += HOUR_MS;
  // Long enough for watches and reconciles to fail more than once.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  await bench.kinds.plane.startApiServer();
}

const engineHas = (message: string): Promise<unknown> =>
  until(message, 30_000, () =>
    Promise.resolve(bench.engine.logLines.some((line) => line.includes(message)) || undefined),
  );

async function stepsOf(ceremony: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const step of await bench.steps(ceremony)) counts[step] = (counts[step] ?? 0) + 1;
  return counts;
}

async function secretsOf(ceremony: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const who of custodians) {
    const secret = await bench.kinds.wait(`secret/${ceremony}-share-${who}`, () => true);
    found[who] = `${secret.metadata.uid}/${secret.metadata.resourceVersion}`;
  }
  return found;
}

const rotation = (name: string): Promise<void> =>
  bench.make(name, {
    type: 'RotateRecovery',
    threshold: 2,
    custodians,
    keyTest: 'Skip',
    people: ['boss'],
    approvals: { approvers: ['boss'], required: 1 },
  });

async function proveAll(ceremony: string): Promise<void> {
  for (const who of custodians) shares.set(who, await bench.share(ceremony, who));
  for (const who of custodians)
    expect(await bench.receipt(ceremony, who, { share: share(who) })).toMatchObject({ accepted: true });
}

const generation = (found: Found): unknown => found.status?.['generation'];

test('an Initialize whose answer came when the API server was gone delivers that answer, once', async () => {
  await bench.make('init', {
    type: 'Initialize',
    threshold: 2,
    custodians,
    keyTest: 'Skip',
    people: ['boss'],
    approvals: { approvers: ['boss'], required: 1 },
    rootToken: { encryptTo: 'ada' },
  });
  await bench.phase('init', 'AwaitingApproval');
  const consent = bench.approve('init', 'boss').catch(() => undefined);
  await engineHas('the vault is initialized');
  await outage();
  await consent;
  const done = await bench.phase('init', 'Completed', 90_000);
  expect(generation(done)).toBe(1);
  for (const who of custodians) shares.set(who, await bench.share('init', who));
  bench.engine.root = await bench.open('init-root-token', 'root-token.asc', 'ada');
  expect((await bench.engine.call('GET', 'auth/token/lookup-self')).status).toBe(200);
  expect(await stepsOf('init')).toMatchObject({ 'engine shares-made': 1, 'operator delivered': 4 });
}, 180_000);

test('shares that were given while it was gone make new ones, which wait at the vault', async () => {
  await rotation('rotate');
  await bench.approve('rotate', 'boss');
  const collecting = await bench.ceremony('rotate', ({ status }) => status?.['nonce'] !== undefined);
  const { nonce, manifestDigest: digest } = collecting.status ?? {};
  const path = `sys/ceremony/${collecting.metadata.uid}/submit`;
  await outage(async () => {
    for (const who of ['ada', 'edith']) {
      const given = await bench.engine.call('POST', path, { nonce, digest, key: share(who) }, '');
      expect(given.status).toBe(200);
    }
  });
  await bench.phase('rotate', 'Proving', 90_000);
  const before = await secretsOf('rotate');
  // Gone once more, between shares and proofs.
  await outage();
  await proveAll('rotate');
  const done = await bench.phase('rotate', 'Completed', 90_000);
  expect(generation(done)).toBe(2);
  expect(await secretsOf('rotate')).toEqual(before);
  expect(condition(done, 'Approved').status).toBe('True');
  expect(await stepsOf('rotate')).toMatchObject({
    'boss approved': 1,
    'engine shares-made': 1,
    'operator delivered': 3,
    'engine committed': 1,
  });
}, 240_000);

test('two operators that both believe to lead make one set of shares, and one log without a gap', async () => {
  bench.kinds.startOperator();
  await rotation('both');
  await bench.approve('both', 'boss');
  await bench.phase('both', 'Collecting', 60_000);
  for (const who of ['ada', 'grace']) expect((await bench.submit('both', share(who))).status).toBe(200);
  await bench.phase('both', 'Proving', 60_000);
  const before = await secretsOf('both');
  await proveAll('both');
  const done = await bench.phase('both', 'Completed', 60_000);
  expect(generation(done)).toBe(3);
  expect(await secretsOf('both')).toEqual(before);
  const steps = await stepsOf('both');
  expect(steps).toMatchObject({ 'boss approved': 1, 'operator started': 1, 'engine shares-made': 1 });
  expect(steps).toMatchObject({ 'operator delivered': 3, 'engine committed': 1, 'ada proved': 1 });
  expect(steps['operator evidence-lost']).toBeUndefined();
  await bench.kinds.kubectl.run(['--namespace', VAULTS, 'delete', 'recoveryceremony', 'both']);
}, 180_000);
