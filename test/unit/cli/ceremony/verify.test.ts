import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../../../src/ceremony/canonical.ts';
import { tool, type ToolResult } from '../../../support/ceremony-tool.ts';
import {
  attestationOf,
  ENGINE_KEY,
  manifestOf,
  PEOPLE,
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
  dir = mkdtempSync(join(tmpdir(), 'sealedvault-verify-'));
  for (const name of [...PEOPLE, 'mallory']) gnupg.generate(name);
  whole = wholeEvidence(gnupg, manifestOf(gnupg));
}, 60_000);
afterAll(() => {
  gnupg.close();
  rmSync(dir, { recursive: true, force: true });
});

function write(value: unknown): string {
  files += 1;
  const file = join(dir, `report-${files}.json`);
  writeFileSync(file, typeof value === 'string' ? value : stored(value as never));
  return file;
}

const verify = (value: unknown, ...more: string[]): Promise<ToolResult> =>
  tool(['verify', write(value), ...more]);
const copy = (): Loose => structuredClone(whole);

describe('a whole report', () => {
  test('is right, and says what it rests on', async () => {
    const { code, out } = await verify(whole);
    expect(out).not.toContain('Wrong:');
    expect(code).toBe(0);
    expect(out).toContain('Right: eve signed the plan.');
    expect(out).toContain(
      'Right: wendy signed as a witness, with the deviations: a fire drill for ten minutes.',
    );
    expect(out).toContain('Right: grace proved to have a share.');
    expect(out).toContain('Right: The vault signed the end of the log');
    expect(out.replaceAll(/\s/g, '')).toContain(gnupg.fingerprint('ada').toLowerCase());
  });

  test('is right for the digest and the engine key that somebody knows, and wrong for others', async () => {
    const digest = digestOf(whole.manifest);
    expect((await verify(whole, '--digest', digest, '--engine-key', ENGINE_KEY)).code).toBe(0);
    expect(await verify(whole, '--digest', `sha256:${'0'.repeat(64)}`)).toMatchObject({
      code: 1,
      out: expect.stringContaining('The plan is not the one you named'),
    });
    expect(await verify(whole, '--engine-key', 'AAAA')).toMatchObject({
      code: 1,
      out: expect.stringContaining('another key than the one of the vault'),
    });
  });

  test('is right in whatever layout its JSON is', async () => {
    expect((await verify(JSON.stringify(whole, null, 2))).code).toBe(0);
  });
});

describe('a ceremony that was called off', () => {
  const calledOff = (step: string): Loose => {
    const evidence = copy();
    const entries: Loose[] = evidence.entries.slice(0, 1);
    const time = entries[0].time;
    entries.push({ number: 2, time, who: 'operator', step, facts: {}, previous: digestOf(entries[0]) });
    return { manifest: evidence.manifest, entries, statements: [], proofs: [] };
  };

  test.each(['cancelled', 'expired', 'failed'])(
    '(%s) owes no signatures but that of the vault',
    async (step) => {
      const evidence = calledOff(step);
      expect(await verify(evidence)).toMatchObject({
        code: 1,
        out: expect.stringContaining('The vault has not signed'),
      });
      evidence.attestation = attestationOf(evidence);
      const { code, out } = await verify(evidence);
      expect([code, out]).toEqual([0, expect.stringContaining('The ceremony ended without effect')]);
    },
  );

  test('cannot be one that did something', async () => {
    const evidence = calledOff('committed');
    evidence.attestation = attestationOf(evidence);
    expect(await verify(evidence)).toMatchObject({
      code: 1,
      out: expect.stringContaining('0 of 1 required approvals'),
    });
  });

  test('is not hidden when its log was lost', async () => {
    const evidence = calledOff('evidence-lost');
    evidence.attestation = attestationOf(evidence);
    expect((await verify(evidence)).out).toContain('An earlier log was lost or damaged: entry 2 says so');
  });
});

describe('a changed report is found, and what was changed is named:', () => {
  test.each<[string, (evidence: Loose) => void, RegExp]>([
    ['the threshold', (e) => (e.manifest.threshold = 1), /The plan was changed/],
    [
      'a fingerprint',
      (e) => (e.manifest.custodians[0].fingerprint = '00'.repeat(20)),
      /gives ada the fingerprint/,
    ],
    [
      'a key of the plan',
      (e) => (e.manifest.people[0].publicKey = gnupg.publicKey('mallory')),
      /The plan was changed/,
    ],
    ['the first entry', (e) => (e.entries[0].facts.type = 'Drill'), /entry 2 does not follow/],
    ['an entry in the middle', (e) => (e.entries[3].who = 'mallory'), /entry 5 does not follow/],
    [
      'the last entry',
      (e) => (e.entries.at(-1).time = '2030-01-01T00:00:00.000Z'),
      /The end of the log was changed/,
    ],
    ['an entry left out', (e) => e.entries.splice(2, 1), /entry 3 has the number 4/],
    ['the last entry left out', (e) => e.entries.pop(), /The end of the log was changed/],
    [
      'two entries in another order',
      (e) => ([e.entries[1], e.entries[2]] = [e.entries[2], e.entries[1]]),
      /entry 2 has the number 3/,
    ],
    [
      'an entry more',
      (e) => e.entries.push({ ...e.entries.at(-1), number: e.entries.length + 1 }),
      /does not follow/,
    ],
    ['a member that nobody signed', (e) => (e.entries[0].note = 'x'), /no evidence/],
    ['an approval left out', (e) => e.statements.shift(), /eve approved, but there is no valid signature/],
    ['a receipt left out', (e) => e.statements.splice(1, 1), /ada received, but there is no valid signature/],
    ['the witness left out', (e) => e.statements.pop(), /0 of 1 required witnesses/],
    [
      'what the witness said',
      (e) => (e.statements.at(-1).text = e.statements.at(-1).text.replace('ten', 'two')),
      /witness of wendy does not count/,
    ],
    [
      'where a share is stored',
      (e) => (e.statements[1].text = e.statements[1].text.replace('safe', 'desk')),
      /receipt of ada does not count/,
    ],
    [
      'a line more in a statement',
      (e) => (e.statements[0].text += 'x: y\n'),
      /What eve signed is not a statement/,
    ],
    ['who said it', (e) => (e.statements[0].person = 'mallory'), /What mallory signed is not a statement/],
    [
      'a role',
      (e) => (e.statements[0].role = 'Witness'),
      /approval of eve does not count: it is filed under the role Witness/,
    ],
    [
      'the key of a signature',
      (e) => (e.statements[0].publicKey = gnupg.publicKey('mallory')),
      /comes with another key/,
    ],
    [
      'a signature by somebody else',
      (e) => (e.statements[0].signature = gnupg.sign('mallory', e.statements[0].text)),
      /approval of eve does not count: the signature/,
    ],
    [
      'a signature of another statement',
      (e) => (e.statements[0].signature = e.statements[1].signature),
      /approval of eve does not count/,
    ],
    ['a proof', (e) => (e.proofs[0].proof = e.proofs[1].proof), /proof of ada was not made with the share/],
    ['the text of a proof', (e) => (e.proofs[0].text += ' '), /proof of ada is over another text/],
    ['whose proof it is', (e) => (e.proofs[0].custodian = 'grace'), /proof of grace is over another text/],
    ['a proof left out', (e) => e.proofs.pop(), /grace proved a share, but there is no valid proof/],
    ['the key of a proof', (e) => (e.proofs[0].proofKey = e.proofs[1].proofKey), /proof of ada was not made/],
    [
      'the signature of the vault',
      (e) => (e.attestation.signature = whole.attestation.publicKey),
      /signature of the vault is not one/,
    ],
    [
      'the head that it signed',
      (e) => (e.attestation.head = `sha256:${'0'.repeat(64)}`),
      /The end of the log was changed/,
    ],
    ['no signature of the vault', (e) => delete e.attestation, /has not signed the end of the log/],
    ['no log', (e) => (e.entries = []), /empty|does not say when/],
  ])('%s', async (_what, change, words) => {
    const evidence = copy();
    change(evidence);
    const { code, out, err } = await verify(evidence);
    expect(code).toBe(1);
    expect(`${out}${err}`).toMatch(words);
  });

  test('an entry of the log, with the chain and the signature of the vault made anew', async () => {
    // By somebody who has the engine's key, but not the witness's.
    const evidence = copy();
    evidence.entries[2].facts = { forged: 'yes' };
    let previous = digestOf(evidence.manifest);
    for (const entry of evidence.entries) {
      entry.previous = previous;
      previous = digestOf(entry);
    }
    evidence.attestation = attestationOf(evidence);
    const { code, out } = await verify(evidence);
    expect(code).toBe(1);
    expect(out).toMatch(/witness of wendy does not count: the log that they saw is not this one/);
  });

  test.each([
    ['no JSON', '{"a":', 1],
    ['something else', '{"a":1}', 1],
    ['a list', '[]', 1],
    ['too deep', `${'['.repeat(5000)}${']'.repeat(5000)}`, 1],
  ])('%s', async (_what, text, code) => {
    const result = await verify(text);
    expect(result.code).toBe(code);
    expect(result.err).toMatch(/no evidence|not JSON/);
  });

  test('a file that is not there', async () => {
    expect(await tool(['verify', join(dir, 'nothing.json')])).toMatchObject({
      code: 1,
      err: expect.stringContaining('cannot be read'),
    });
    expect((await tool(['verify'])).code).toBe(2);
  });
});

test('a wrong fingerprint is found of a key that only signs, too', async () => {
  const secret = ['--pinentry-mode', 'loopback', '--passphrase', ''];
  gnupg.run([...secret, '--quick-generate-key', 'sam <sam@example.org>', 'ed25519', 'sign', '1y']);
  const manifest = manifestOf(gnupg) as Loose;
  manifest.people.push({ ...manifest.people[0], name: 'sam', publicKey: gnupg.publicKey('sam') });
  const { code, out } = await verify(wholeEvidence(gnupg, manifest));
  expect([code, out]).toEqual([1, expect.stringContaining('The plan gives sam the fingerprint')]);
});

describe('the answers to a key test', () => {
  let tested: Loose;
  beforeAll(() => {
    tested = wholeEvidence(gnupg, manifestOf(gnupg, { keyTest: 'Required' }));
  });

  test('are right by the signatures of the custodians', async () => {
    const { code, out } = await verify(tested);
    expect([code, out]).toEqual([0, expect.not.stringContaining('Wrong:')]);
    expect(out).toContain('ada signed the answer to the test message, which their key decrypted.');
  });

  test.each<[string, (evidence: Loose) => void, RegExp]>([
    [
      'left out',
      (e) => e.statements.splice(1, 1),
      /ada key-tested, but there is no valid signature[^]*1 of 2 required answers to the key test/,
    ],
    [
      'signed by somebody else',
      (e) => (e.statements[1].signature = gnupg.sign('mallory', e.statements[1].text)),
      /key test of ada does not count: the signature/,
    ],
    [
      'another than the message had',
      (e) => {
        const text = e.statements[1].text.replace(/answer: .*/, `answer: ${'0'.repeat(64)}`);
        Object.assign(e.statements[1], { text, signature: gnupg.sign('ada', text) });
      },
      /key test of ada does not count: it is not the answer to a message that the log knows/,
    ],
    [
      'that of another custodian',
      (e) => {
        const text = e.statements[1].text.replace('custodian: ada', 'custodian: grace');
        Object.assign(e.statements[2], { text, signature: gnupg.sign('grace', text) });
      },
      /key test of grace does not count: it is not the answer/,
    ],
    [
      'filed under another role',
      (e) => (e.statements[1].role = 'Approver'),
      /key test of ada does not count: it is filed under the role Approver/,
    ],
  ])('are wrong when one is %s', async (_what, change, words) => {
    const evidence = structuredClone(tested);
    change(evidence);
    const { code, out } = await verify(evidence);
    expect([code, out]).toEqual([1, expect.stringMatching(words)]);
  });
});

test('what people wrote cannot draw on the terminal, or add a line of its own', async () => {
  const evidence = copy();
  const forged = '\u001b[2J\u202e\nRight: everything is right.\r';
  evidence.statements[0].person = `mallory${forged}`;
  const { code, out } = await verify(evidence);
  expect(code).toBe(1);
  expect(out).toMatch(/^[\x20-\x7e\n]*$/);
  expect(out).not.toMatch(/^Right: everything/m);
});

describe('a report', () => {
  test('is written as JSON that is checked again, and as a page that needs nothing else', async () => {
    const base = join(dir, 'written');
    expect((await tool(['report', write(whole), '--out', base])).code).toBe(0);
    expect((await tool(['verify', `${base}.json`])).code).toBe(0);
    const html = readFileSync(`${base}.html`, 'utf8');
    for (const part of [
      'Roles, functions and responsibilities',
      'Inventory of keys',
      'Device',
      'Acknowledgements of custodians',
      'safe of ada',
      'a fire drill for ten minutes',
      'Nothing within this report is wrong',
    ])
      expect(html).toContain(part);
    expect(html).not.toMatch(/<script|src=|href=|https?:/);
    expect((await tool(['report', write(whole), '--out', base])).err).toContain('must not be there yet');
  });

  test('holds what people wrote as text, never as markup', async () => {
    const evidence = copy();
    evidence.entries[0].facts.type = '<script>alert(1)</script>"\'&';
    const base = join(dir, 'markup');
    expect((await tool(['report', write(evidence), '--out', base])).code).toBe(1);
    const html = readFileSync(`${base}.html`, 'utf8');
    expect(html).not.toContain('<script');
    expect(html).toContain('&#60;script&#62;');
    expect(html).toContain('Do not rely on this report');
  });
});
