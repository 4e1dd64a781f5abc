import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/ceremony/canonical.ts';
import { checkSignature } from '../../../src/ceremony/pgp-signature.ts';
import { isShareProof, proofKeyOf } from '../../../src/ceremony/share-proof.ts';
import { possessionText, receiptText, witnessText } from '../../../src/ceremony/statement.ts';
import type { JsonObject } from '../../../src/lib/json.ts';
import { Secret } from '../../../src/lib/secret.ts';
import { CUSTODIANS, nameOf, stored, wholeEvidence } from '../../support/ceremony-world.ts';
import { attempt } from '../../support/cluster/command.ts';
import { projectRoot } from '../../support/cluster/paths.ts';
import { NAMESPACE, ToolsBench } from './support.ts';

let bench: ToolsBench;
let manifest: JsonObject;
/** Shares in hex, by name; those of the rotation begin with `new`. */
let shares: Record<string, string> = {};
const ns = ['--namespace', NAMESPACE];

beforeAll(async () => {
  bench = await ToolsBench.start();
  shares = await bench.initialize();
  manifest = await bench.ceremony('rotate');
});

afterAll(async () => {
  const everything = bench.said.join('\n') + bench.engine.logLines.join('\n');
  for (const share of Object.values(shares)) expect(everything).not.toContain(share);
  await bench.close();
});

describe('submit', () => {
  const submit = (name: string, ...more: string[]) =>
    bench.tool(['submit', 'rotate', '--as', name, '--from', 'first', '--yes', ...ns, ...more]);

  test('refuses before the vault has begun', async () => {
    const { code, err } = await submit('ada');
    expect([code, err]).toEqual([1, expect.stringContaining('The vault knows no such ceremony')]);
  });

  test('refuses a vault that works for another plan, before anything is decrypted', async () => {
    const { uid } = nameOf(manifest);
    const plan = {
      ceremony: { namespace: NAMESPACE, name: 'rotate' },
      type: 'rotate-recovery',
      threshold: 2,
      custodians: CUSTODIANS.map((name) => ({ name, pgp_key: bench.gnupg.publicKey(name) })),
    };
    await bench.operator('PUT', `sys/ceremony/${uid}`, { ...plan, digest: `sha256:${'0'.repeat(64)}` });
    const { code, err } = await submit('ada');
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('The vault is asked to do something else than this plan'),
    ]);
    // Cancelled, it is another ceremony's turn; the same id cannot change its plan.
    await bench.operator('DELETE', `sys/ceremony/${uid}`);
    await bench.kubectl.run([...ns, 'delete', 'recoveryceremony', 'rotate']);
    manifest = await bench.ceremony('rotate');
    const begun = await bench.operator('PUT', `sys/ceremony/${nameOf(manifest).uid}`, {
      ...plan,
      digest: digestOf(manifest),
    });
    expect(begun.status).toBe(200);
    await bench.status('rotate', { nonce: begun.body.nonce });
  });

  test('refuses another nonce than the cluster shows', async () => {
    const { body } = await bench.engine.call('GET', 'sys/ceremony', undefined, '');
    await bench.status('rotate', { nonce: '00000000-0000-0000-0000-000000000000' });
    const { code, err } = await submit('ada');
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/nonce of the vault is not the one that the cluster shows/),
    ]);
    await bench.status('rotate', { nonce: body.nonce });
  });

  test.each([
    ['plain HTTP', ['--address', 'http://127.0.0.1:1'], 2, /over TLS only/],
    [
      'an authority that is not the vault’s',
      ['--ca-cert', '/etc/ssl/certs/ca-certificates.crt'],
      1,
      /could not be secured/,
    ],
    [
      'a name that is not the vault’s',
      ['--tls-server-name', 'other.example'],
      1,
      /could not be secured|cannot be reached/,
    ],
    ['nobody there', ['--address', 'https://127.0.0.1:1'], 1, /cannot be reached/],
    ['a share in a file in plaintext', ['--share', 'PLAIN'], 1, /a share in plaintext belongs into no file/],
    ['no share at all', ['--share', '/nonexistent'], 1, /cannot be read/],
  ])('sends nothing to %s', async (_what, more, code, words) => {
    writeFileSync(join(bench.dir, 'plain'), shares['ada'] ?? '');
    const args = more.map((each) => (each === 'PLAIN' ? join(bench.dir, 'plain') : each));
    const result = await submit('ada', ...args);
    expect([result.code, result.err]).toEqual([code, expect.stringMatching(words)]);
    expect((await bench.engine.call('GET', 'sys/ceremony', undefined, '')).body.progress).toBe(0);
  });

  test('gives a share, and shows what is to be compared', async () => {
    const { code, out, err } = await submit('ada');
    expect([code, out]).toEqual([0, 'Your share was taken. 1 of 2 were given.\n']);
    const { body } = await bench.engine.call('GET', 'sys/ceremony', undefined, '');
    expect(err.replaceAll(/\s/g, '')).toContain(body.nonce.replaceAll('-', ''));
    expect(err.replaceAll(/\s/g, '')).toContain(digestOf(manifest).slice(7));
    const again = await submit('ada');
    expect([again.code, again.err]).toEqual([
      1,
      expect.stringContaining('this share has already been given'),
    ]);
  });

  test('takes a share from standard input, decrypted elsewhere, and completes the quorum', async () => {
    const { code, out } = await bench.tool(
      ['submit', 'rotate', '--as', 'grace', '--share', '-', '--yes', ...ns],
      `${shares['grace']}\n`,
    );
    expect([code, out]).toEqual([0, 'Your share was taken, and it was the last one that was needed.\n']);
    const late = await submit('ada');
    expect([late.code, late.err]).toEqual([1, expect.stringContaining('new custodians now use receipt')]);
  });
});

describe('receipt and drill', () => {
  test('a receipt is signed, and its proof is what the vault waits for', async () => {
    const name = nameOf(manifest);
    const { body } = await bench.operator('GET', `sys/ceremony/${name.uid}/messages`);
    for (const custodian of CUSTODIANS) {
      await bench.secret(`rotate-share-${custodian}`, 'share.asc', body.shares[custodian]);
      shares[`new ${custodian}`] = bench.gnupg.decrypt(Buffer.from(body.shares[custodian], 'base64')).trim();
      const result = await bench.tool([
        'receipt',
        'rotate',
        '--as',
        custodian,
        '--storage',
        'safe 3',
        '--yes',
        ...ns,
      ]);
      expect(result).toMatchObject({ code: 0, err: expect.stringContaining('share-message-sha256') });
      const { spec } = await bench.made('sharereceipt', `rotate-receipt-${custodian}`);
      const { sha256 = '', storage = '', signature = '', proof = '' } = spec;
      const text = receiptText(name, { custodian, sha256, storage });
      expect(
        await checkSignature(text, signature, bench.gnupg.publicKey(custodian), new Date()),
      ).toMatchObject({ ok: true });
      const proven = await bench.engine.call(
        'POST',
        `sys/ceremony/${name.uid}/prove`,
        { custodian, proof },
        '',
      );
      expect(proven.status).toBe(200);
    }
    expect((await bench.engine.call('GET', 'sys/ceremony', undefined, '')).body.state).toBe('committed');
  });

  test('a share of somebody else cannot be received', async () => {
    const other = bench.gnupg.publicKey('ada');
    expect(other).not.toBe('');
    await bench.kubectl.run([...ns, 'delete', 'sharereceipt', 'rotate-receipt-ada']);
    const { code, err } = await bench.tool([
      'receipt',
      'rotate',
      '--as',
      'eve',
      '--storage',
      'x',
      '--yes',
      ...ns,
    ]);
    expect([code, err]).toEqual([1, expect.stringContaining('eve is no custodian')]);
  });

  test('a loss is said without a share', async () => {
    expect(
      (await bench.tool(['receipt', 'rotate', '--as', 'ada', '--storage', 'lost', '--yes', ...ns])).code,
    ).toBe(0);
    const { spec } = await bench.made('sharereceipt', 'rotate-receipt-ada');
    expect(Object.keys(spec).sort()).toEqual([
      'ceremonyRef',
      'custodian',
      'digest',
      'signature',
      'storage',
      'username',
    ]);
  });

  test('a drill proves the share, online or by file, and sends no part of it', async () => {
    const share = join(bench.dir, 'share.asc');
    const proof = join(bench.dir, 'proof.json');
    await bench.tool(['fetch', 'rotate', '--as', 'ada', '--out', share, ...ns]);
    const plan = join(bench.dir, 'plan-2.json');
    await bench.tool(['plan', 'rotate', '--out', plan, ...ns]);
    expect(
      (await bench.tool(['drill', plan, '--as', 'ada', '--share', share, '--yes', '--out', proof])).code,
    ).toBe(0);
    expect((await bench.tool(['drill', '--in', proof, ...ns])).code).toBe(0);
    expect((await bench.tool(['drill', 'rotate', '--as', 'grace', '--yes', ...ns])).code).toBe(0);
    for (const custodian of CUSTODIANS) {
      const { spec } = await bench.made('sharereceipt', `rotate-proof-${custodian}`);
      using secret = Secret.own(new Uint8Array(Buffer.from(shares[`new ${custodian}`] ?? '', 'hex')));
      const text = possessionText(nameOf(manifest), custodian);
      expect(isShareProof(proofKeyOf(secret), text, spec['proof'] ?? '')).toBe(true);
    }
    const lost = await bench.tool(['drill', plan, '--as', 'ada', '--yes']);
    expect([lost.code, lost.err]).toEqual([2, expect.stringContaining('Which share is meant?')]);
  });
});

describe('witness, report and status', () => {
  test('a witness signs the end of the log, after it was checked', async () => {
    const evidence = wholeEvidence(bench.gnupg, manifest);
    await bench.configMap('rotate-evidence', { 'evidence.json': stored(evidence) });
    const said = await bench.tool([
      'witness',
      'rotate',
      '--as',
      'wendy',
      '--deviations',
      'none that matter',
      '--yes',
      ...ns,
    ]);
    expect(said).toMatchObject({ code: 0, err: expect.stringContaining('operator: planned') });
    const { spec } = await bench.made('ceremonyapproval', 'rotate-witness-wendy');
    const { evidence: head = '', deviations = '', signature = '' } = spec;
    const text = witnessText(nameOf(manifest), { person: 'wendy', evidence: head, deviations });
    expect(await checkSignature(text, signature, bench.gnupg.publicKey('wendy'), new Date())).toMatchObject({
      ok: true,
    });
    expect(spec['role']).toBe('Witness');
  });

  test('but not a log that was changed', async () => {
    const evidence = stored(wholeEvidence(bench.gnupg, manifest)).replace(
      '"step":"shares-made"',
      '"step":"x"',
    );
    await bench.configMap('rotate-evidence', { 'evidence.json': evidence });
    const { code, err } = await bench.tool(['witness', 'rotate', '--as', 'wendy', '--yes', ...ns]);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/Wrong: The log was changed.*The evidence is not right/s),
    ]);
  });

  test('a report is written from the cluster, and verified without it', async () => {
    await bench.configMap('rotate-evidence', {
      'evidence.json': stored(wholeEvidence(bench.gnupg, manifest)),
    });
    const base = join(bench.dir, 'report');
    expect((await bench.tool(['report', 'rotate', '--out', base, ...ns])).code).toBe(0);
    const main = join(projectRoot, 'src/main.ts');
    const args = [main, 'ceremony', 'verify', `${base}.json`, `--digest=${digestOf(manifest)}`];
    const { status, stdout } = await attempt(process.execPath, args, { env: { KUBECONFIG: '/nonexistent' } });
    expect([status, stdout]).toEqual([0, expect.stringContaining('Nothing is wrong within the report')]);
    writeFileSync(`${base}.json`, readFileSync(`${base}.json`, 'utf8').replace('safe of ada', 'desk of ada'));
    expect((await attempt(process.execPath, args)).status).toBe(1);
  });

  test('status says where it stands', async () => {
    await bench.status('rotate', {
      phase: 'Proving',
      progress: '1/2',
      custodians: [{ name: 'ada', delivery: 'Delivered', proven: true }],
    });
    const { code, out } = await bench.tool(['status', 'rotate', ...ns]);
    expect(code).toBe(0);
    expect(out).toContain('Phase: Proving');
    expect(out).toContain('ada: share delivered, proved');
    expect(out).toMatch(/The vault at https:\/\/127\.0\.0\.1:\d+ says: committed/);
    const none = await bench.tool(['status', 'nothing', ...ns]);
    expect([none.code, none.err]).toEqual([
      1,
      expect.stringContaining('There is no RecoveryCeremony nothing'),
    ]);
  });

  test('a verb that is none shows the usage', async () => {
    expect(await bench.tool(['destroy'])).toMatchObject({ code: 2, err: expect.stringContaining('Usage:') });
    expect((await bench.tool([])).code).toBe(2);
    expect((await bench.tool(['constructor'])).code).toBe(2);
  });
});
