import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../../../src/ceremony/canonical.ts';
import type { EngineStatement } from '../../../../src/ceremony/engine-statement.ts';
import { tool, type ToolResult } from '../../../support/ceremony-tool.ts';
import {
  attestationOf,
  attestationV1,
  manifestOf,
  PEOPLE,
  signByEngine,
  stored,
  wholeEvidence,
} from '../../../support/ceremony-world.ts';
import { Gnupg } from '../../../support/gnupg.ts';

type Loose = ReturnType<typeof JSON.parse>;

const gnupg = new Gnupg();
let dir: string;
let whole: Loose;
let files = 0;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sealedvault-attestation-'));
  for (const name of PEOPLE) gnupg.generate(name);
  whole = wholeEvidence(gnupg, manifestOf(gnupg));
}, 60_000);
afterAll(() => {
  gnupg.close();
  rmSync(dir, { recursive: true, force: true });
});

function verify(value: unknown): Promise<ToolResult> {
  files += 1;
  const file = join(dir, `report-${files}.json`);
  writeFileSync(file, stored(value as never));
  return tool(['verify', file]);
}

const copy = (): Loose => structuredClone(whole);

describe('what the vault signed', () => {
  const signed = (claims: Partial<EngineStatement>): Loose => {
    const evidence = copy();
    evidence.attestation = attestationOf(evidence, claims);
    return evidence;
  };

  test('is told: vault, type, state, shares and proofs', async () => {
    const { out } = await verify(whole);
    expect(out.replaceAll(/\s+/g, ' ')).toContain(
      'for it this was a ceremony of the type rotate-recovery that is committed: 2 shares were given, and 2 of 2 custodians proved their shares.',
    );
  });

  // Each is signed by the vault's own key, so nothing but what it says is wrong.
  test.each<[Partial<EngineStatement>, RegExp]>([
    [{ cluster: 'c2' }, /it is of the vault c2/],
    [{ uid: 'other' }, /it names the ceremony other/],
    [{ digest: `sha256:${'0'.repeat(64)}` }, /it names the plan sha256:0/],
    [{ evidence: `sha256:${'0'.repeat(64)}` }, /it names the end sha256:0/],
    [{ type: 'generate-root' }, /it names the type generate-root/],
    [{ type: 'initialize' }, /it names the type initialize/],
    [{ state: 'cancelled' }, /the ceremony is cancelled/],
    [{ state: 'collecting' }, /the ceremony is collecting/],
    [{ state: 'proving' }, /the ceremony is proving/],
    [{ type: 'record', state: 'recorded' }, /the ceremony is recorded/],
    [{ type: 'record' }, /its state is not one of its type/],
    [{ proven: 1 }, /not every custodian proved/],
    [{ time: '2020-01-01T00:00:00.000Z' }, /the time beside it is/],
  ])('of another ceremony, %j, does not count', async (claims, words) => {
    const { code, out } = await verify(signed(claims));
    expect([code, out.replaceAll(/\s+/g, ' ')]).toEqual([1, expect.stringMatching(words)]);
  });

  test('before the last entry does not count', async () => {
    const evidence = signed({ time: '2020-01-01T00:00:00.000Z' });
    evidence.attestation.engineTime = '2020-01-01T00:00:00.000Z';
    expect((await verify(evidence)).out).toContain('before the last entry');
  });

  test('of a ceremony that had its effect is no signature under a log that says it was called off', async () => {
    const evidence = copy();
    evidence.entries = evidence.entries.slice(0, 1);
    const [{ time }] = evidence.entries;
    const previous = digestOf(evidence.entries[0]);
    evidence.entries.push({ number: 2, time, who: 'operator', step: 'cancelled', facts: {}, previous });
    evidence.attestation = attestationOf(evidence, { state: 'committed' });
    expect((await verify(evidence)).out).toContain('the ceremony had its effect');
  });

  test.each<[string, (text: string) => string]>([
    ['a line more', (text) => `${text}x: y\n`],
    ['a line twice', (text) => text.replace(/^uid: .*\n/m, '$&$&')],
    ['lines in another order', (text) => text.replace(/(uid: .*\n)(digest: .*\n)/, '$2$1')],
    ['another title', (text) => text.replace('v2', 'v3')],
    ['a number with more than digits', (text) => text.replace('shares-given: 2', 'shares-given: 2e0')],
  ])('is no statement with %s', async (_what, change) => {
    const evidence = copy();
    const statement = change(evidence.attestation.statement);
    Object.assign(evidence.attestation, { statement, signature: signByEngine(statement) });
    expect(await verify(evidence)).toMatchObject({
      code: 1,
      out: expect.stringContaining('not a statement over evidence'),
    });
  });

  test('changed afterwards is not signed', async () => {
    const evidence = copy();
    evidence.attestation.statement = evidence.attestation.statement.replace('cluster: c1', 'cluster: c2');
    expect((await verify(evidence)).out).toContain('The signature of the vault is not one');
  });

  test('in the earlier form stays good, and its limits are told; no statement is made of it', async () => {
    const evidence = copy();
    evidence.attestation = attestationV1(evidence);
    const { code, out } = await verify(evidence);
    expect([code, out]).toEqual([0, expect.stringContaining('the form of earlier engines')]);
    evidence.attestation.statement = whole.attestation.statement;
    expect((await verify(evidence)).code).toBe(1);
  });
});
