import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkSignature } from '../../../../src/ceremony/pgp-signature.ts';
import { isShareProof, proofKeyOf } from '../../../../src/ceremony/share-proof.ts';
import { approvalText, keyTestText, possessionText } from '../../../../src/ceremony/statement.ts';
import { Secret } from '../../../../src/lib/secret.ts';
import { tool, type ToolResult } from '../../../support/ceremony-tool.ts';
import { manifestOf, nameOf, PEOPLE, stored } from '../../../support/ceremony-world.ts';
import { Gnupg } from '../../../support/gnupg.ts';

const gnupg = new Gnupg();
const env = { GNUPGHOME: gnupg.home };
const share = randomBytes(33);
let dir: string;
let plan: string;
let manifest: ReturnType<typeof manifestOf>;
let files = 0;

const out = (): string => {
  files += 1;
  return join(dir, `out-${files}.json`);
};
const specOf = (file: string): Record<string, string> =>
  (JSON.parse(readFileSync(file, 'utf8')) as { spec: Record<string, string> }).spec;
const encrypted = (name: string, content: string): string =>
  gnupg
    .run(['--armor', '--trust-model', 'always', '--recipient', `${name}@`, '--encrypt'], content)
    .toString();

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sealedvault-signing-'));
  for (const name of PEOPLE) gnupg.generate(name);
  manifest = manifestOf(gnupg);
  plan = join(dir, 'plan.json');
  writeFileSync(plan, stored(manifest));
}, 60_000);
afterAll(() => {
  gnupg.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('consent', () => {
  const approve = (file: string, answer: string): Promise<ToolResult> =>
    tool(['approve', plan, '--as', 'eve', '--out', file], { env, input: answer, tty: true });

  test.each(['no\n', '\n', 'y\n', 'yes please\n'])('is not taken from %j', async (answer) => {
    const file = out();
    const { code, err } = await approve(file, answer);
    expect([code, err]).toEqual([1, expect.stringContaining('Nothing was done')]);
    expect(existsSync(file)).toBe(false);
  });

  test('is a plain yes, over what was shown', async () => {
    const file = out();
    const { code, err } = await approve(file, 'yes\n');
    expect(code).toBe(0);
    const text = approvalText(nameOf(manifest), 'eve');
    for (const line of text.trimEnd().split('\n')) expect(err).toContain(line);
    const { signature = '' } = specOf(file);
    expect(await checkSignature(text, signature, gnupg.publicKey('eve'), new Date())).toMatchObject({
      ok: true,
    });
  });

  test('never replaces a file', async () => {
    const file = out();
    writeFileSync(file, 'mine');
    expect(await approve(file, 'yes\n')).toMatchObject({
      code: 1,
      err: expect.stringContaining('cannot be written'),
    });
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });
});

describe('a key test', () => {
  const digits = randomBytes(32).toString('hex');
  const message = `SealedVault key test v1\n${digits}\n`;
  const keyTest = (given: string, file: string, ...more: string[]): Promise<ToolResult> => {
    const from = join(dir, `message-${files}.asc`);
    writeFileSync(from, given);
    const args = ['--message', from, '--out', file, '--yes', ...more];
    return tool(['key-test', tested(), '--as', 'ada', ...args], { env });
  };
  const asking = (): ReturnType<typeof manifestOf> => ({ ...manifest, keyTest: 'Required' });
  const tested = (): string => {
    const file = join(dir, 'tested.json');
    writeFileSync(file, stored(asking()));
    return file;
  };

  test('is answered by a signature over the hash of what was decrypted, which is told nowhere', async () => {
    const file = out();
    const { code, out: said, err } = await keyTest(encrypted('ada', message), file);
    expect([code, err]).toEqual([0, expect.stringContaining('custodian: ada')]);
    const answer = createHash('sha256').update(message).digest('hex');
    const spec = specOf(file);
    expect(spec).toMatchObject({ custodian: 'ada', keyTest: { answer }, digest: nameOf(asking()).digest });
    const text = keyTestText(nameOf(asking()), { custodian: 'ada', answer });
    const key = gnupg.publicKey('ada');
    expect(await checkSignature(text, spec['signature'] ?? '', key, new Date())).toMatchObject({ ok: true });
    expect(`${said}${err}${readFileSync(file, 'utf8')}`).not.toContain(digits);
  });

  test.each([
    ['a share', share.toString('hex')],
    ['a share under the title', `SealedVault key test v1\n${share.toString('hex')}\n`],
    ['a root token', 'hvs.token'],
  ])('that is in truth %s is not answered', async (_what, content) => {
    const file = out();
    const { code, err } = await keyTest(encrypted('ada', content), file);
    expect([code, err]).toEqual([1, expect.stringContaining('is no test message')]);
    expect(err).not.toContain(share.toString('hex'));
    expect(err).not.toContain('hvs.');
    expect(existsSync(file)).toBe(false);
  });

  test('needs a message, a plan that asks for it, and one of its custodians', async () => {
    const [file, from] = [out(), join(dir, 'some.asc')];
    writeFileSync(from, encrypted('ada', message));
    const none = await tool(['key-test', plan, '--as', 'ada', '--message', from, '--out', file], { env });
    expect([none.code, none.err]).toEqual([1, expect.stringContaining('asks for no key test')]);
    const missing = await tool(['key-test', tested(), '--as', 'ada', '--out', file], { env });
    expect([missing.code, missing.err]).toEqual([2, expect.stringContaining('--message is missing')]);
    const eve = await tool(['key-test', tested(), '--as', 'eve', '--message', from], { env });
    expect([eve.code, eve.err]).toEqual([1, expect.stringContaining('eve is no custodian')]);
  });

  test('that was not answered by a person who says no leaves nothing', async () => {
    const [file, from] = [out(), join(dir, 'asked.asc')];
    writeFileSync(from, encrypted('ada', message));
    const args = ['key-test', tested(), '--as', 'ada', '--message', from, '--out', file];
    expect(await tool(args, { env, input: 'no\n', tty: true })).toMatchObject({ code: 1 });
    expect(existsSync(file)).toBe(false);
  });
});

describe('a share', () => {
  const drill = (message: string, file: string, input?: string): Promise<ToolResult> => {
    const from = join(dir, `share-${files}.asc`);
    if (input === undefined) writeFileSync(from, message);
    const args = ['drill', plan, '--as', 'ada', '--share', input === undefined ? from : '-', '--out', file];
    return tool([...args, '--yes'], { env, ...(input === undefined ? {} : { input }) });
  };

  test.each<[string, () => string, (() => string) | undefined]>([
    ['hex', () => encrypted('ada', share.toString('hex')), undefined],
    ['hex with a line feed', () => encrypted('ada', `${share.toString('hex')}\n`), undefined],
    ['base64', () => encrypted('ada', share.toString('base64')), undefined],
    ['a message on standard input', () => '', () => encrypted('ada', share.toString('hex'))],
    ['plaintext on standard input', () => '', () => `${share.toString('hex')}\n`],
  ])('as %s is proved, and is in nothing that is said or written', async (_what, message, input) => {
    const file = out();
    const { code, out: said, err } = await drill(message(), file, input?.());
    expect(code).toBe(0);
    using secret = Secret.own(Uint8Array.from(share));
    const text = possessionText(nameOf(manifest), 'ada');
    expect(isShareProof(proofKeyOf(secret), text, specOf(file)['proof'] ?? '')).toBe(true);
    for (const form of ['hex', 'base64'] as const)
      expect(`${said}${err}${readFileSync(file, 'utf8')}`).not.toContain(share.toString(form));
  });

  test.each([
    [
      'for somebody else',
      () => '-----BEGIN PGP MESSAGE-----\n\nAAAA\n-----END PGP MESSAGE-----\n',
      /gpg could not decrypt/,
    ],
    [
      'that is a root token',
      () => encrypted('ada', 'hvs.token that is no share'),
      /What was decrypted is no share/,
    ],
    ['that is empty', () => encrypted('ada', ''), /gpg could not decrypt|no share/],
    ['that is too short', () => encrypted('ada', 'abcd'), /no share/],
    ['in plaintext', () => share.toString('hex'), /belongs into no file/],
  ])('%s is refused, and not quoted', async (_what, message, words) => {
    const file = out();
    const { code, err } = await drill(message(), file);
    expect([code, err]).toEqual([1, expect.stringMatching(words)]);
    expect(err).not.toMatch(/hvs\.token/);
    expect(err).not.toContain(share.toString('hex'));
    expect(existsSync(file)).toBe(false);
  });

  test('of a receipt is named by the hash of the binary message', async () => {
    const from = join(dir, 'receipt.asc');
    const message = encrypted('ada', share.toString('hex'));
    writeFileSync(from, message);
    const file = out();
    const args = [
      'receipt',
      plan,
      '--as',
      'ada',
      '--share',
      from,
      '--storage',
      'safe\n3',
      '--out',
      file,
      '--yes',
    ];
    expect((await tool(args, { env })).code).toBe(0);
    const binary = gnupg.run(['--dearmor'], message);
    expect(specOf(file)['sha256']).toBe(createHash('sha256').update(binary).digest('hex'));
  });
});

test('without gpg on the PATH it says so', async () => {
  const { code, err } = await tool(['approve', plan, '--as', 'eve', '--yes'], {
    env: { PATH: '/nonexistent' },
  });
  expect([code, err]).toEqual([1, expect.stringContaining('gpg cannot be started: install GnuPG')]);
});
