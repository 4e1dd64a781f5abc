import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appended } from '../../../src/ceremony/evidence.ts';
import { keyTestText } from '../../../src/ceremony/statement.ts';
import { manifestDigest } from '../../../src/operator/recoveryceremony/plan/manifest.ts';
import { CeremonyBench, custodiansOf } from './support.ts';

const custodians = ['ada', 'grace', 'edith'];
const asking = { type: 'Initialize', threshold: 2, custodians, rootToken: { encryptTo: 'ada' } };
let bench: CeremonyBench;

beforeAll(async () => {
  bench = await CeremonyBench.start('127.77.1.3', [...custodians, 'mallory']);
});

afterAll(async () => {
  await bench?.close();
});

const isInitialized = async (): Promise<boolean> =>
  (await bench.engine.call('GET', 'sys/init', undefined, '')).body.initialized;

describe('an answer to a test message', () => {
  test('that is wrong, another’s, forged or of another ceremony is refused, and nothing happens', async () => {
    await bench.make('test', asking);
    await bench.make('test-2', asking);
    await bench.phase('test', 'TestingKeys');
    await bench.phase('test-2', 'TestingKeys');
    const name = await bench.nameOf('test');
    const sign = (by: string, custodian: string, answer: string): Promise<string> =>
      bench.person(by).sign(keyTestText(name, { custodian, answer }));
    const wrong = '0'.repeat(64);
    const [ada, grace] = [await bench.testAnswer('test', 'ada'), await bench.testAnswer('test', 'grace')];
    const elsewhere = await bench.testAnswer('test-2', 'ada');
    const tries: Record<string, object> = {
      wrong: { keyTest: { answer: wrong }, signature: await sign('ada', 'ada', wrong) },
      'that of another': { keyTest: { answer: grace }, signature: await sign('ada', 'ada', grace) },
      'in the name of another': { custodian: 'grace' },
      'forged by another key': { signature: await sign('mallory', 'ada', ada) },
      'replayed from another ceremony': {
        keyTest: { answer: elsewhere },
        signature: await sign('ada', 'ada', elsewhere),
      },
      'for another plan': { digest: (await bench.nameOf('test-2')).digest },
      'of a stranger': { custodian: 'mallory', signature: await sign('mallory', 'mallory', ada) },
    };
    for (const [index, [what, change]] of Object.entries(tries).entries()) {
      const verdict = await bench.answer('test', 'ada', change, `-${index}`);
      expect(verdict.accepted, what).toBe(false);
      expect(verdict.message.length, what).toBeGreaterThan(20);
    }
    const replayed = await bench.answer('test', 'ada', { ceremonyRef: { name: 'test-2' } }, '-replay');
    expect(replayed).toMatchObject({ accepted: false });
    expect(await bench.answer('test', 'ada')).toMatchObject({ accepted: true });
    const steps = await bench.steps('test');
    expect(steps.filter((step) => step === 'operator refused')).toHaveLength(Object.keys(tries).length);
    expect(steps.filter((step) => step.endsWith('key-tested'))).toEqual(['ada key-tested']);
  });

  test('cannot be made up by writing evidence or status', async () => {
    await bench.kinds.stopOperator();
    await bench.tamper('test-evidence', (data) => {
      const bundle = JSON.parse(data['evidence.json'] ?? '');
      const digest = manifestDigest(bundle.manifest);
      const theirs = bundle.entries.find(({ step }: { step: string }) => step === 'key-tested');
      for (const [who, step, facts] of [
        ['grace', 'key-tested', theirs.facts],
        ['edith', 'key-tested', theirs.facts],
        ['operator', 'started', {}],
      ] as const)
        bundle.entries = appended(bundle.entries, digest, {
          who,
          step,
          facts,
          time: new Date().toISOString(),
        });
      return { 'evidence.json': JSON.stringify(bundle) };
    });
    bench.kinds.startOperator();
    const testing = await bench.ceremony('test', ({ status }) =>
      JSON.stringify(status?.['evidence']).includes('"entries":'),
    );
    expect(testing.status?.phase).toBe('TestingKeys');
    await bench.answer('test', 'grace');
    const waiting = await bench.ceremony('test', (found) =>
      custodiansOf(found).every(({ name, keyTest }) => (keyTest === 'Answered') === (name !== 'edith')),
    );
    expect(waiting.status?.phase).toBe('TestingKeys');
    expect(await isInitialized()).toBe(false);
  });

  test('is not waited for any more when the ceremony is cancelled or late', async () => {
    await bench.cancel('test');
    await bench.phase('test', 'Cancelled');
    expect(await bench.answer('test', 'edith')).toMatchObject({ accepted: false });
    await bench.cancel('test-2');
    await bench.make('test-late', { ...asking, expiresAfter: '4s' });
    await bench.phase('test-late', 'Expired');
    const { entries } = await bench.evidence('test-late');
    expect(entries.map(({ step }) => step)).toEqual(['planned', 'key-test', 'expired']);
    expect(await isInitialized()).toBe(false);
  });
});
