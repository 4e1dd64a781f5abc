import { createPublicKey, verify } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readEngineStatement } from '../../../src/ceremony/engine-statement.ts';
import type { Bundle } from '../../../src/operator/recoveryceremony/evidence/bundle.ts';
import { until } from '../../support/cluster/command.ts';
import { CeremonyBench, condition, custodiansOf, headOf, VAULTS } from './support.ts';

const custodians = ['ada', 'grace', 'edith'];
let bench: CeremonyBench;
const shares = new Map<string, string>();
const share = (who: string): string => shares.get(who) ?? '';

beforeAll(async () => {
  bench = await CeremonyBench.start('127.77.1.1', [...custodians, 'joan', 'boss', 'chief', 'wit']);
});

afterAll(async () => {
  await bench?.close();
});

const types: Record<string, string> = {
  Initialize: 'initialize',
  Drill: 'record',
  RotateRecovery: 'rotate-recovery',
  GenerateRoot: 'generate-root',
  BreakGlass: 'break-glass',
};

/** The engine's signature is over the end of the log. */
function expectSealed({ attestation, manifest }: Bundle, head: unknown): void {
  if (attestation === undefined) throw new Error('the engine signed nothing');
  expect(attestation.head).toBe(head);
  const key = createPublicKey({
    key: Buffer.from(attestation.publicKey, 'base64'),
    format: 'der',
    type: 'spki',
  });
  const { statement = '', signature } = attestation;
  expect(verify(null, Buffer.from(statement), key, Buffer.from(signature, 'base64'))).toBe(true);
  const { uid } = manifest.ceremony;
  const type = types[manifest.type];
  expect(readEngineStatement(statement)).toMatchObject({
    evidence: head,
    uid,
    type,
    time: attestation.engineTime,
  });
}

test('Initialize waits for approvals and the key test, delivers, is witnessed, and leaves evidence', async () => {
  await bench.make('init', {
    type: 'Initialize',
    threshold: 2,
    custodians,
    people: ['boss', 'chief', 'wit'],
    rootToken: { encryptTo: 'ada' },
    approvals: { approvers: ['boss', 'chief'], required: 2 },
    witnesses: { names: ['wit'], required: 1 },
  });
  const waiting = await bench.phase('init', 'AwaitingApproval');
  expect(condition(waiting, 'Approved')).toMatchObject({ status: 'False', reason: 'AwaitingApproval' });
  expect(await bench.approve('init', 'boss')).toMatchObject({ accepted: true });
  expect((await bench.engine.call('GET', 'sys/init')).body.initialized).toBe(false);
  await bench.restartOperator();
  await bench.ceremony('init', ({ status }) => status?.['approvals'] === '1/2');
  // The key test goes on beside the approvals.
  expect(await bench.answer('init', 'ada')).toMatchObject({ accepted: true });
  expect(await bench.approve('init', 'chief')).toMatchObject({ accepted: true });
  const testing = await bench.phase('init', 'TestingKeys');
  expect(condition(testing, 'KeysTested').message).toContain('by grace, edith');
  expect(custodiansOf(testing).map(({ keyTest }) => keyTest)).toEqual(['Answered', 'Pending', 'Pending']);
  expect(await bench.answer('init', 'grace')).toMatchObject({ accepted: true });
  await bench.restartOperator();
  expect((await bench.engine.call('GET', 'sys/init')).body.initialized).toBe(false);
  expect(await bench.answer('init', 'edith')).toMatchObject({ accepted: true });
  const made = await bench.phase('init', 'AwaitingWitness');
  expect(condition(made, 'Delivered').status).toBe('True');
  for (const who of custodians) shares.set(who, await bench.share('init', who));
  bench.engine.root = await bench.open('init-root-token', 'root-token.asc', 'ada');
  await bench.engine.active();
  expect((await bench.engine.call('GET', 'auth/token/lookup-self')).status).toBe(200);
  await bench.restartOperator();
  const head = headOf(made);
  expect(await bench.witness('init', 'wit', `sha256:${'0'.repeat(64)}`, '-wrong')).toMatchObject({
    accepted: false,
  });
  expect(await bench.witness('init', 'wit', head)).toMatchObject({ accepted: true });
  await bench.phase('init', 'Completed');
  const done = await bench.ceremony('init', (found) => condition(found, 'EvidenceSealed').status === 'True');
  const evidence = await bench.evidence('init');
  expectSealed(evidence, headOf(done));
  expect(await bench.steps('init')).toEqual([
    'operator planned',
    'operator key-test',
    'boss approved',
    'ada key-tested',
    'chief approved',
    'grace key-tested',
    'edith key-tested',
    'operator started',
    'engine shares-made',
    ...custodians.map(() => 'operator delivered'),
    'operator delivered',
    'engine committed',
    'operator refused',
    'wit witnessed',
  ]);
  expect(evidence.statements.map(({ person, role }) => `${role} ${person}`)).toEqual([
    'Approver boss',
    'Custodian ada',
    'Approver chief',
    'Custodian grace',
    'Custodian edith',
    'Witness wit',
  ]);
});

test('receipts of an Initialize are judged late, each against its own share', async () => {
  const init = await bench.phase('init', 'Completed');
  const sha256 = (who: string): string => custodiansOf(init).find(({ name }) => name === who)?.sha256 ?? '';
  const good = { storage: 'safe 3', sha256: sha256('ada'), share: share('ada') };
  expect(await bench.receipt('init', 'ada', good)).toMatchObject({ accepted: true });
  const swapped = { storage: 'safe 3', sha256: sha256('ada') };
  expect((await bench.receipt('init', 'grace', { ...swapped, suffix: '-1' })).message).toContain('sha256');
  const anothers = await bench.receipt('init', 'grace', { share: share('edith'), suffix: '-2' });
  expect(anothers).toMatchObject({ accepted: false });
  expect(anothers.message).toContain('this custodian’s share');
  const told = await bench.ceremony('init', (found) => custodiansOf(found).some(({ proven }) => proven));
  expect(custodiansOf(told)).toEqual(
    expect.arrayContaining([expect.objectContaining({ name: 'ada', receipt: 'Accepted', proven: true })]),
  );
  const sealed = await bench.ceremony(
    'init',
    (found) => condition(found, 'EvidenceSealed').status === 'True',
  );
  expectSealed(await bench.evidence('init'), headOf(sealed));
});

test('a Drill proves every share without the engine', async () => {
  await bench.make('drill', { type: 'Drill' });
  await bench.phase('drill', 'Drilling');
  expect(await bench.receipt('drill', 'ada', { share: share('grace'), suffix: '-bad' })).toMatchObject({
    accepted: false,
  });
  expect(await bench.receipt('drill', 'mallory', { share: share('grace') })).toMatchObject({
    accepted: false,
  });
  for (const who of ['ada', 'grace']) await bench.receipt('drill', who, { share: share(who) });
  await bench.restartOperator();
  await bench.ceremony('drill', ({ status }) => status?.['progress'] === '2/3');
  await bench.receipt('drill', 'edith', { share: share('edith') });
  const done = await bench.phase('drill', 'Completed');
  expect(condition(done, 'Verified').status).toBe('True');
  const { proofs } = await bench.evidence('drill');
  expect(proofs.map(({ custodian }) => custodian)).toEqual(['ada', 'grace', 'edith']);
});

test('RotateRecovery puts new shares in force when every new custodian has proved theirs', async () => {
  await bench.make('rotate', {
    type: 'RotateRecovery',
    threshold: 2,
    custodians: ['ada', 'grace', 'joan'],
    people: ['boss', 'wit'],
    approvals: { approvers: ['boss'], required: 1 },
    witnesses: { names: ['wit'], required: 1 },
  });
  await bench.approve('rotate', 'boss');
  for (const who of ['ada', 'grace', 'joan'])
    expect(await bench.answer('rotate', who)).toMatchObject({ accepted: true });
  const collecting = await bench.phase('rotate', 'Collecting');
  const old = collecting.status?.['nonce'];
  expect((await bench.submit('rotate', share('ada'))).status).toBe(200);
  await bench.ceremony('rotate', ({ status }) => status?.['progress'] === '1/2');
  // The engine forgets what it was given; nobody has to approve anew.
  await bench.engine.restart();
  const { nonce } = (await bench.engine.call('GET', 'sys/ceremony', undefined, '')).body;
  const interrupted = await bench.ceremony('rotate', ({ status }) => status?.['nonce'] === nonce);
  expect(condition(interrupted, 'Interrupted').status).toBe('True');
  expect(condition(interrupted, 'Approved').status).toBe('True');
  const stale = await bench.submit('rotate', share('ada'), { nonce: old });
  expect(stale.status).toBe(400);
  const foreign = await bench.submit('rotate', share('ada'), { digest: `sha256:${'0'.repeat(64)}` });
  expect(foreign.body).toEqual(stale.body);
  for (const who of ['edith', 'grace']) expect((await bench.submit('rotate', share(who))).status).toBe(200);
  await bench.restartOperator();
  await bench.phase('rotate', 'Proving');
  const next = new Map<string, string>();
  for (const who of ['ada', 'grace', 'joan']) next.set(who, await bench.share('rotate', who));
  expect(await bench.receipt('rotate', 'ada', { share: share('ada'), suffix: '-old' })).toMatchObject({
    accepted: false,
  });
  const others = { share: next.get('grace') ?? '', suffix: '-other' };
  expect(await bench.receipt('rotate', 'ada', others)).toMatchObject({ accepted: false });
  for (const [who, text] of next)
    expect(await bench.receipt('rotate', who, { share: text })).toMatchObject({ accepted: true });
  const made = await bench.phase('rotate', 'AwaitingWitness');
  expect(condition(made, 'Committed').status).toBe('True');
  expect(condition(made, 'Verified').status).toBe('True');
  expect(made.status?.['generation']).toBe(2);
  await bench.witness('rotate', 'wit', headOf(made));
  await bench.phase('rotate', 'Completed');
  const steps = await bench.steps('rotate');
  for (const step of ['engine interrupted', 'ada share-given', 'edith share-given', 'joan proved'])
    expect(steps).toContain(step);
  expect((await bench.evidence('rotate')).proofs.every(({ proofKey }) => proofKey !== '')).toBe(true);
  shares.set('old', share('edith'));
  shares.delete('edith');
  for (const [who, text] of next) shares.set(who, text);
});

test('a share of an earlier set is refused in a drill', async () => {
  await bench.make('drill-2', { type: 'Drill', expiresAfter: '10s' });
  await bench.phase('drill-2', 'Drilling');
  expect(await bench.receipt('drill-2', 'edith', { share: share('old') })).toMatchObject({ accepted: false });
  expect(await bench.receipt('drill-2', 'joan', { share: share('joan') })).toMatchObject({ accepted: true });
  const expired = await bench.phase('drill-2', 'Expired');
  expect(condition(expired, 'Expired').status).toBe('True');
  expect(await bench.steps('drill-2')).toContain('operator expired');
});

test('GenerateRoot gives one requester a token that can be revoked', async () => {
  await bench.make('root', {
    type: 'GenerateRoot',
    people: ['chief'],
    requester: 'chief',
    rootToken: { ttl: '1h' },
  });
  await bench.phase('root', 'Collecting');
  expect((await bench.submit('root', share('old'))).body.errors[0]).toContain('earlier set');
  for (const who of ['ada', 'joan']) expect((await bench.submit('root', share(who))).status).toBe(200);
  const done = await bench.phase('root', 'Completed');
  expect(done.status?.['rootToken']).toMatchObject({
    custodian: 'chief',
    delivery: 'Delivered',
    state: 'active',
  });
  const token = await bench.open('root-root-token', 'root-token.asc', 'chief');
  expect((await bench.engine.call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(200);
  await bench.cancel('root');
  const revoked = await bench.ceremony('root', ({ status }) =>
    JSON.stringify(status?.['rootToken']).includes('"revoked"'),
  );
  expect(revoked.status?.phase).toBe('Completed');
  expect((await bench.engine.call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(403);
  await bench.ceremony('root', (found) => condition(found, 'EvidenceSealed').status === 'True');
  expect(await bench.steps('root')).toContain('engine token-revoked');
});

test('BreakGlass turns the seal on for custodians who proved their shares, and off again', async () => {
  const glass = {
    type: 'BreakGlass',
    people: ['boss', 'wit'],
    approvals: { approvers: ['boss'], required: 1 },
    witnesses: { names: ['wit'], required: 1 },
  };
  const backends = async (): Promise<string[]> =>
    (await bench.engine.call('GET', 'sys/seal-backend-status')).body.backends.map(
      ({ name }: { name: string }) => name,
    );
  const play = async (name: string): Promise<void> => {
    await bench.approve(name, 'boss');
    await bench.phase(name, 'Collecting');
    for (const who of ['ada', 'joan']) expect((await bench.submit(name, share(who))).status).toBe(200);
  };
  const finish = async (name: string): Promise<void> => {
    const made = await bench.phase(name, 'AwaitingWitness');
    await bench.witness(name, 'wit', headOf(made));
    await bench.phase(name, 'Completed');
  };
  await bench.make('glass-on', { ...glass, threshold: 2, custodians: ['ada', 'grace', 'edith'] });
  await play('glass-on');
  await bench.phase('glass-on', 'Proving');
  expect(await backends()).not.toContain('break-glass');
  for (const who of ['ada', 'grace', 'edith']) {
    const text = await bench.share('glass-on', who);
    shares.set(`glass of ${who}`, text);
    expect(await bench.receipt('glass-on', who, { share: text })).toMatchObject({ accepted: true });
  }
  await finish('glass-on');
  expect(await backends()).toContain('break-glass');
  // Recovery shares are what they were.
  expect(condition(await bench.phase('glass-on', 'Completed'), 'Verified').status).toBe('True');
  await bench.make('glass-off', glass);
  await play('glass-off');
  await finish('glass-off');
  expect(await backends()).not.toContain('break-glass');
});

test('a schedule makes drills, and the vault says how well its recovery key is kept', async () => {
  await bench.kinds.kubectl.run(['--namespace', VAULTS, 'delete', 'recoveryceremony', 'drill', 'drill-2']);
  await bench.kinds.wait('sv/demo', (found) => condition(found, 'RecoveryReady').status === 'True');
  await bench.kinds.apply({
    apiVersion: 'sealedvault.io/v1alpha1',
    kind: 'DrillSchedule',
    metadata: { name: 'quarterly', namespace: VAULTS },
    spec: { vaultRef: { name: 'demo' }, everyDays: 90, withinDays: 7 },
  } as never);
  const schedule = await bench.kinds.wait(
    'drillschedule/quarterly',
    ({ status }) => status?.['nextDrill'] !== undefined,
  );
  const drill = String(schedule.status?.['lastDrill']);
  expect((await bench.phase(drill, 'Drilling')).spec).toMatchObject({ type: 'Drill', expiresAfter: '168h' });
  for (const who of ['ada', 'grace', 'joan']) await bench.receipt(drill, who, { share: share(who) });
  await bench.phase(drill, 'Completed');
  const vault = await bench.kinds.wait('sv/demo', ({ status }) =>
    JSON.stringify(status?.['recovery']).includes('lastDrill'),
  );
  expect(vault.status?.['recovery']).toMatchObject({ threshold: 2, custodians: 3, unproven: 0, margin: 1 });
});

test('a lost share lowers the margin, and a rotation is proposed, not made', async () => {
  await bench.receipt('rotate', 'joan', { storage: 'lost', suffix: '-lost' });
  const vault = await bench.kinds.wait(
    'sv/demo',
    (found) => condition(found, 'RecoveryReady').status === 'False',
  );
  expect(condition(vault, 'RecoveryReady')).toMatchObject({ reason: 'MarginUsedUp' });
  expect(condition(vault, 'RecoveryReady').message).toContain('joan');
  expect(vault.status?.['recovery']).toMatchObject({ margin: 0 });
  await until('the proposal', 20_000, async () =>
    (await bench.kinds.kubectl.run(['--namespace', VAULTS, 'get', 'events'])).includes(
      'RotateRecoveryProposed',
    )
      ? true
      : undefined,
  );
  expect((await bench.engine.call('GET', 'sys/ceremony', undefined, '')).body.state).toBe('committed');
});

test('what test messages say is told nowhere', async () => {
  const types = ['recoveryceremonies', 'ceremonyapprovals', 'sharereceipts', 'configmaps', 'events'];
  const texts = await Promise.all(
    types.map((type) => bench.kinds.kubectl.run(['get', type, '--all-namespaces', '--output', 'json'])),
  );
  const all = [...texts, ...bench.kinds.log, ...bench.engine.logLines].join('\n');
  for (const [ceremony, who] of [
    ['init', 'ada'],
    ['rotate', 'joan'],
  ] as const) {
    const [, digits = ''] = (await bench.challenge(ceremony, who)).split('\n');
    expect(digits).toMatch(/^[0-9a-f]{64}$/);
    expect(all.includes(digits)).toBe(false);
  }
});

test('no share and no token is in a log, a ceremony or its evidence', async () => {
  const texts = await Promise.all(
    ['recoveryceremonies', 'ceremonyapprovals', 'sharereceipts', 'configmaps', 'events'].map((type) =>
      bench.kinds.kubectl.run(['get', type, '--all-namespaces', '--output', 'json']),
    ),
  );
  const all = [...texts, ...bench.kinds.log, ...bench.engine.logLines].join('\n');
  const forms = [...shares.values()].flatMap((hex) => [hex, Buffer.from(hex, 'hex').toString('base64')]);
  for (const secret of [...forms, bench.engine.root]) expect(all.includes(secret)).toBe(false);
});
