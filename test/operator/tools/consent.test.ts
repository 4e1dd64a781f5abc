import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf } from '../../../src/ceremony/canonical.ts';
import { checkSignature } from '../../../src/ceremony/pgp-signature.ts';
import { approvalText } from '../../../src/ceremony/statement.ts';
import type { JsonObject } from '../../../src/lib/json.ts';
import { qrPng } from '../../../src/lib/qr/png.ts';
import { scan } from '../../api/support/barcode.ts';
import { nameOf, stored } from '../../support/ceremony-world.ts';
import { NAMESPACE, ToolsBench } from './support.ts';

let bench: ToolsBench;
let manifest: JsonObject;
/** Shares in hex, by name. */
let shares: Record<string, string> = {};
const ns = ['--namespace', NAMESPACE];
const flat = (text: string): string => text.replaceAll(/\s+/g, ' ');

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

describe('plan', () => {
  test('tells the plan in words, with the digest computed anew', async () => {
    const { code, out } = await bench.tool(['plan', 'rotate', ...ns]);
    expect(code).toBe(0);
    expect(flat(out)).toContain('then there are 2 recovery shares, one for each custodian; any 2 of them');
    expect(flat(out)).toContain('Approval: 1 of eve must agree');
    const digest = digestOf(manifest).slice(7);
    expect(out.replaceAll(/\s/g, '')).toContain(digest);
    expect(out.replaceAll(/\s/g, '')).toContain(bench.gnupg.fingerprint('ada').toLowerCase());
    // Plain text that reads well aloud.
    expect(out).toMatch(/^[\x20-\x7e\n]+$/);
    expect(Math.max(...out.split('\n').map(({ length }) => length))).toBeLessThan(120);
  });

  test('is the same from a file', async () => {
    const file = join(bench.dir, 'plan.json');
    expect((await bench.tool(['plan', 'rotate', ...ns, '--out', file])).code).toBe(0);
    const { code, out } = await bench.tool(['plan', file]);
    expect(code).toBe(0);
    expect(out.replaceAll(/\s/g, '')).toContain(digestOf(manifest).slice(7));
  });

  test.each([
    [
      'a changed manifest',
      async () =>
        bench.configMap('rotate-manifest', { 'manifest.json': stored({ ...manifest, threshold: 1 }) }),
      /was changed after it was frozen/,
    ],
    [
      'the manifest of another ceremony',
      async () =>
        bench.configMap('rotate-manifest', {
          'manifest.json': stored({
            ...manifest,
            ceremony: { namespace: 'vaults', name: 'rotate', uid: 'x' },
          }),
        }),
      /that of another ceremony/,
    ],
    ['no manifest', async () => bench.configMap('rotate-manifest', { 'manifest.json': '{}' }), /no manifest/],
  ])('refuses %s, and so does every verb that signs', async (_what, spoil, words) => {
    await spoil();
    for (const args of [['plan'], ['approve', '--as', 'eve', '--yes']]) {
      const { code, err } = await bench.tool([args[0] ?? '', 'rotate', ...args.slice(1), ...ns]);
      expect([code, err]).toEqual([1, expect.stringMatching(words)]);
    }
    await bench.configMap('rotate-manifest', { 'manifest.json': stored(manifest) });
  });
});

describe('approve', () => {
  test('asks first, and sends nothing without a yes', async () => {
    const { code, err } = await bench.tool(['approve', 'rotate', '--as', 'eve', ...ns]);
    expect([code, err]).toEqual([2, expect.stringContaining('no terminal to ask on')]);
    expect(err).toContain('approved-by: eve');
    await expect(bench.made('ceremonyapproval', 'rotate-approval-eve')).rejects.toThrow(
      'no ceremonyapproval',
    );
  });

  test('signs the plan with the key that the plan has', async () => {
    expect((await bench.tool(['approve', 'rotate', '--as', 'eve', '--yes', ...ns])).code).toBe(0);
    const { spec } = await bench.made('ceremonyapproval', 'rotate-approval-eve');
    expect(spec).toMatchObject({
      person: 'eve',
      role: 'Approver',
      digest: digestOf(manifest),
      username: 'admin',
    });
    const text = approvalText(nameOf(manifest), 'eve');
    const key = bench.gnupg.publicKey('eve');
    expect(await checkSignature(text, spec['signature'] ?? '', key, new Date())).toMatchObject({ ok: true });
    const again = await bench.tool(['approve', 'rotate', '--as', 'eve', '--yes', ...ns]);
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('There is one already')]);
  });

  test('is for approvers, with a key that gpg has', async () => {
    const ada = await bench.tool(['approve', 'rotate', '--as', 'ada', '--yes', ...ns]);
    expect([ada.code, ada.err]).toEqual([
      1,
      expect.stringContaining('ada is no approver of this ceremony: they are eve'),
    ]);
    const key = await bench.tool([
      'approve',
      'rotate',
      '--as',
      'eve',
      '--key',
      '0'.repeat(40),
      '--yes',
      ...ns,
    ]);
    expect([key.code, key.err]).toEqual([1, expect.stringContaining('gpg could not sign')]);
    expect((await bench.tool(['approve', 'rotate', '--yes', ...ns])).code).toBe(2);
  });

  test('goes by file where there is no network', async () => {
    await bench.kubectl.run([...ns, 'delete', 'ceremonyapproval', 'rotate-approval-eve']);
    const file = join(bench.dir, 'approval.json');
    const plan = join(bench.dir, 'plan.json');
    expect((await bench.tool(['approve', plan, '--as', 'eve', '--yes', '--out', file])).code).toBe(0);
    await expect(bench.made('ceremonyapproval', 'rotate-approval-eve')).rejects.toThrow();
    expect((await bench.tool(['approve', '--in', file, ...ns])).code).toBe(0);
    const { spec } = await bench.made('ceremonyapproval', 'rotate-approval-eve');
    expect(spec).toMatchObject({ person: 'eve', username: 'admin', digest: digestOf(manifest) });
    const wrong = await bench.tool(['receipt', '--in', file, ...ns]);
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('does not hold a ShareReceipt')]);
  });
});

describe('fetch', () => {
  test('gives the encrypted share, and nothing of what is in it', async () => {
    const { code, out, err } = await bench.tool(['fetch', 'first', '--as', 'ada', ...ns]);
    expect(code).toBe(0);
    expect(bench.gnupg.decrypt(out).trim()).toBe(shares['ada']);
    expect(err).toContain('SHA-256');
    const none = await bench.tool(['fetch', 'first', '--as', 'nobody', ...ns]);
    expect([none.code, none.err]).toEqual([1, expect.stringContaining('no Secret first-share-nobody')]);
  });

  test('draws it for a camera, in the terminal and as an image', async () => {
    const plain = (await bench.tool(['fetch', 'first', '--as', 'ada', ...ns])).out.trim();
    const svg = join(bench.dir, 'share.svg');
    const { out } = await bench.tool(['fetch', 'first', '--as', 'ada', '--qr', '--svg', svg, ...ns]);
    // Two modules a sign: upper and lower.
    const rows = out
      .trimEnd()
      .split('\n')
      .flatMap((line) => {
        const signs = line.replaceAll('\u001b[40;97m', '').replaceAll('\u001b[0m', '').split('');
        return [signs.map((sign) => !'█▀'.includes(sign)), signs.map((sign) => !'█▄'.includes(sign))];
      });
    const square = rows.slice(0, rows[0]?.length);
    expect(scan(Buffer.from(qrPng(square, 1000) ?? []).toString('base64'))).toBe(plain);
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg /);
  });

  test('says who may not', async () => {
    await bench.apply({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'mallory', namespace: NAMESPACE },
    });
    const kubeconfig = await bench.plane.kubeconfigFor({ namespace: NAMESPACE, name: 'mallory' });
    const { code, err } = await bench.tool(['fetch', 'first', '--as', 'ada', '--kubeconfig', kubeconfig]);
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/does not let you read secrets\/first-share-ada: .*ask for the role/),
    ]);
    const none = await bench.tool(['fetch', 'first', '--as', 'ada', '--kubeconfig', '/nonexistent']);
    expect([none.code, none.err]).toEqual([1, expect.stringContaining('kubeconfig cannot be used')]);
  });
});
