import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

interface Exchange {
  readonly request: { readonly method: string; readonly path: string; readonly body?: any };
  readonly response: { readonly status: number; readonly body?: any };
}

const exchanges = readFileSync(new URL('../vectors/transit-exchanges.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Exchange);

const types = [
  'aes128-gcm96',
  'aes256-gcm96',
  'chacha20-poly1305',
  'xchacha20-poly1305',
  'ecdsa-p256',
  'ecdsa-p384',
  'ecdsa-p521',
  'ed25519',
  'hmac',
  'rsa-2048',
  'rsa-3072',
];

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  // The recorded exchanges mount their own at transit/.
  await engine.call('POST', 'sys/mounts/t', { type: 'transit' });
  for (const type of types) await post(`keys/all-${type}`, { type });
});
afterAll(() => engine.stop());

const post = (path: string, body: object = {}) => engine.call('POST', `t/${path}`, body);
const get = (path: string) => engine.call('GET', `t/${path}`);
const b64 = (text: string) => Buffer.from(text).toString('base64');

/** Made anew in every run: compared by type, and by form where there is one. */
const VOLATILE =
  /\.(?:request_id|ciphertext|signature|hmac|random_bytes|public_key|creation_time|keys\.\d+)$/;

function differences(recorded: any, ours: any, path: string, out: string[]): void {
  if (kind(recorded) !== kind(ours)) out.push(`${path}: ${kind(recorded)} recorded, ${kind(ours)} here`);
  else if (kind(recorded) === 'list') {
    if (recorded.length !== ours.length) out.push(`${path}: another length`);
    for (const [index, each] of recorded.entries()) differences(each, ours[index], `${path}.${index}`, out);
  } else if (kind(recorded) === 'object') {
    for (const name of new Set([...Object.keys(recorded), ...Object.keys(ours)]))
      differences(recorded[name], ours[name], `${path}.${name}`, out);
  } else if (!VOLATILE.test(path) && recorded !== ours)
    out.push(`${path}: ${JSON.stringify(recorded)} recorded, ${JSON.stringify(ours)} here`);
  else if (typeof recorded === 'string' && form(recorded) !== form(ours))
    out.push(`${path}: another form, ${form(recorded)} recorded, ${form(ours)} here`);
}

const kind = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;

/** The version prefix and the length of what follows. */
function form(text: string): string {
  const [, version, payload = ''] = /^(vault:v\d+:)(.*)$/.exec(text) ?? [];
  return version === undefined ? '' : `${version}${payload.length}`;
}

describe('recorded exchanges', () => {
  const ours = new Map<string, string>();
  for (const [index, { request, response }] of exchanges.entries()) {
    test(`${index} ${request.method} ${request.path} → ${response.status}`, async () => {
      let body = request.body === undefined ? undefined : JSON.stringify(request.body);
      for (const [recorded, here] of ours) body = body?.replaceAll(recorded, here);
      const answer = await engine.call(request.method, request.path.slice('/v1/'.length), body);
      expect(answer.status, JSON.stringify(answer.body)).toBe(response.status);
      for (const name of ['ciphertext', 'signature']) {
        const recorded = response.body?.data?.[name];
        if (recorded !== undefined) ours.set(recorded, answer.body.data[name]);
      }
      const out: string[] = [];
      const volatile = /datakey|export|cache/.test(request.path);
      if (volatile && response.body?.data !== undefined) {
        expect(Object.keys(answer.body.data)).toEqual(Object.keys(response.body.data));
      } else differences(response.body, answer.body, '', out);
      expect(out).toEqual([]);
    });
  }
});

describe('encrypt and decrypt', () => {
  test('a key is made by the first use, unless that is switched off', async () => {
    expect((await post('encrypt/upsert', { plaintext: 'YQ==' })).status).toBe(200);
    expect((await get('keys/upsert')).body.data).toMatchObject({ type: 'aes256-gcm96', derived: false });
    await post('encrypt/upsert-derived', { plaintext: 'YQ==', context: 'YQ==' });
    expect((await get('keys/upsert-derived')).body.data.derived).toBe(true);
    expect((await post('encrypt/x', { plaintext: 'YQ==', type: 'ecdsa-p256' })).body.errors).toEqual([
      'key type ecdsa-p256 not supported for this operation',
    ]);
    for (const name of ['a%20b', '-a', 'a%0A', '%E2%80%AE'])
      expect((await post(`encrypt/${name}`, { plaintext: 'YQ==' })).status, name).toBe(
        name === 'a%0A' ? 400 : 404,
      );
    expect((await post('config/keys', { disable_upsert: true })).body.data).toEqual({ disable_upsert: true });
    expect((await post('encrypt/never', { plaintext: 'YQ==' })).body.errors).toEqual([
      'encryption key not found',
    ]);
    expect((await get('config/keys')).body.data.disable_upsert).toBe(true);
    await post('config/keys', { disable_upsert: false });
  });

  test('associated data must be the same', async () => {
    await post('keys/aad');
    const { ciphertext } = (await post('encrypt/aad', { plaintext: 'YQ==', associated_data: b64('one') }))
      .body.data;
    expect((await post('decrypt/aad', { ciphertext, associated_data: b64('one') })).body.data.plaintext).toBe(
      'YQ==',
    );
    for (const associated_data of [b64('two'), undefined])
      expect((await post('decrypt/aad', { ciphertext, associated_data })).body.errors).toEqual([
        'cipher: message authentication failed',
      ]);
    expect(
      (await post('encrypt/all-rsa-2048', { plaintext: 'YQ==', associated_data: 'YQ==' })).body.errors,
    ).toEqual(["'[0].associated_data' provided for non-AEAD cipher suite rsa-2048"]);
  });

  test('convergent ciphertexts are equal for equal context and plaintext, and only then', async () => {
    await post('keys/converge', { derived: true, convergent_encryption: true });
    const make = async (plaintext: string, context: string) =>
      (await post('encrypt/converge', { plaintext: b64(plaintext), context: b64(context) })).body.data
        .ciphertext;
    const first = await make('a', 'x');
    expect(await make('a', 'x')).toBe(first);
    expect(await make('a', 'y')).not.toBe(first);
    expect(await make('b', 'x')).not.toBe(first);
    expect(
      (await post('decrypt/converge', { ciphertext: first, context: b64('x') })).body.data.plaintext,
    ).toBe(b64('a'));
    expect((await post('decrypt/converge', { ciphertext: first, context: b64('y') })).status).toBe(400);
    expect(
      (
        await post('encrypt/converge', {
          plaintext: 'YQ==',
          context: 'YQ==',
          nonce: Buffer.alloc(12).toString('base64'),
        })
      ).body.errors,
    ).toEqual(['provided nonce not allowed for this key']);
  });

  test('batches keep order and reference, and say what failed', async () => {
    const { body, status } = await post('encrypt/batch', {
      batch_input: [
        { plaintext: b64('one'), reference: 'first' },
        { plaintext: 'oops!', reference: 'second' },
        { plaintext: '' },
      ],
      partial_failure_response_code: 207,
    });
    expect(status).toBe(207);
    expect(body.data.batch_results).toMatchObject([
      { reference: 'first', key_version: 1 },
      { reference: 'second', error: 'illegal base64 data at input byte 4' },
      { reference: '' },
    ]);
    const ciphertexts = [0, 2].map((index) => ({ ciphertext: body.data.batch_results[index].ciphertext }));
    const decrypted = await post('decrypt/batch', { batch_input: ciphertexts });
    expect(decrypted.status).toBe(200);
    expect(decrypted.body.data.batch_results).toEqual([
      { plaintext: b64('one'), reference: '' },
      { plaintext: '', reference: '' },
    ]);
    await post('keys/batch/rotate');
    const rewrapped = (await post('rewrap/batch', { batch_input: ciphertexts })).body.data.batch_results;
    expect(rewrapped.map((each: any) => each.key_version)).toEqual([2, 2]);
    for (const [batch_input, message] of [
      [[], 'missing batch input to process'],
      [
        [{ plaintext: 'YQ==', context: 'YQ==' }, { plaintext: 'YQ==' }],
        'context should be set either in all the request blocks or in none',
      ],
      [
        [{}],
        "failed to parse batch input: 1 error(s) decoding:\n\n* '[0].plaintext' missing plaintext to encrypt",
      ],
    ] as const)
      expect(await post('encrypt/batch', { batch_input })).toMatchObject({
        status: 400,
        body: { errors: [message] },
      });
    for (const batch_input of ['x', 7, { a: 1 }, [1], [null], [{ plaintext: 5 }]])
      expect((await post('encrypt/batch', { batch_input })).status).toBe(400);
  });

  test('no plaintext, key or context is in the log', async () => {
    const canary = 'canary-plaintext-8fK2';
    await post('encrypt/log', { plaintext: b64(canary), context: b64(canary) });
    await post('encrypt/log', { plaintext: canary });
    const log = engine.logLines.join('');
    expect(log.length).toBeGreaterThan(0);
    for (const text of [canary, b64(canary)]) expect(log).not.toContain(text);
  });
});

describe('sign, verify and hmac', () => {
  test('every type signs; prehashed and not are the same signature scheme', async () => {
    const input = b64('hello');
    const digest = (await post('hash/sha2-512', { input, format: 'base64' })).body.data.sum;
    for (const type of ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'rsa-2048', 'ed25519'])
      for (const more of [
        {},
        { marshaling_algorithm: 'jws' },
        ...(type === 'rsa-2048'
          ? [
              { signature_algorithm: 'pkcs1v15' },
              { salt_length: 'hash' },
              { salt_length: '10' },
              { salt_length: 'auto', marshaling_algorithm: 'jws' },
            ]
          : []),
      ]) {
        const whole = { ...more, input, hash_algorithm: 'sha2-512' };
        const hashed = { ...more, input: digest, hash_algorithm: 'sha2-512', prehashed: true };
        const title = JSON.stringify({ type, more });
        const forms =
          type === 'ed25519'
            ? [[whole, whole]]
            : [
                [whole, hashed],
                [hashed, whole],
              ];
        for (const [signing, verifying] of forms) {
          const signed = await post(`sign/all-${type}`, signing);
          expect(signed.status, `${title} ${JSON.stringify(signed.body)}`).toBe(200);
          const { signature } = signed.body.data;
          expect((await post(`verify/all-${type}`, { ...verifying, signature })).body.data, title).toEqual({
            valid: true,
          });
          const other = { ...verifying, input: verifying === whole ? b64('other') : `A${digest.slice(1)}` };
          expect((await post(`verify/all-${type}`, { ...other, signature })).body.data, title).toEqual({
            valid: false,
          });
        }
      }
  });

  test('what cannot be signed or verified is refused', async () => {
    for (const [path, body, message] of [
      ['sign/none', { input: 'YQ==' }, 'signing key not found'],
      ['sign/all-aes256-gcm96', { input: 'YQ==' }, 'key type aes256-gcm96 does not support signing'],
      ['sign/all-ed25519/md5', { input: 'YQ==' }, 'invalid hash algorithm "md5"'],
      [
        'sign/all-ed25519',
        { input: '!' },
        'unable to decode input as base64: illegal base64 data at input byte 0',
      ],
      [
        'sign/all-rsa-2048/none',
        { input: 'YQ==' },
        'hash_algorithm=none requires both prehashed=true and signature_algorithm=pkcs1v15',
      ],
      ['sign/all-rsa-2048', { input: 'YQ==', prehashed: true }, 'crypto/rsa: input must be hashed message'],
      ['sign/all-rsa-2048', { input: 'YQ==', salt_length: '9999' }, 'requested salt length 9999 is invalid'],
      [
        'sign/all-rsa-2048',
        { input: 'YQ==', key_version: 2 },
        'requested version for signing is higher than the latest key version',
      ],
      ['verify/all-ed25519', { input: 'YQ==' }, "neither a 'signature' nor an 'hmac' were given to verify"],
      ['verify/all-ed25519', { input: 'YQ==', signature: 'x' }, 'invalid signature: no prefix'],
      [
        'verify/all-ecdsa-p256',
        { input: 'YQ==', signature: 'vault:v1:AAAA' },
        'supplied signature is invalid',
      ],
    ] as const)
      expect(await post(path, body), path).toMatchObject({ status: 400, body: { errors: [message] } });
  });

  test('hmac verifies with its own version, and a changed one does not', async () => {
    const { hmac } = (await post('hmac/all-aes256-gcm96/sha2-512', { input: 'YQ==' })).body.data;
    expect((await post('verify/all-aes256-gcm96/sha2-512', { input: 'YQ==', hmac })).body.data.valid).toBe(
      true,
    );
    expect((await post('verify/all-aes256-gcm96', { input: 'YQ==', hmac })).body.data.valid).toBe(false);
    const batch = await post('hmac/all-aes256-gcm96', { batch_input: [{ input: 'YQ==' }, {}] });
    expect(batch.body.data.batch_results).toMatchObject([
      { hmac: expect.stringMatching(/^vault:v1:/) },
      { error: 'missing input for HMAC' },
    ]);
    expect(
      (
        await post('verify/all-aes256-gcm96', {
          batch_input: [{ input: 'YQ==', hmac: batch.body.data.batch_results[0].hmac }],
        })
      ).body.data.batch_results,
    ).toEqual([{ reference: '', valid: true }]);
  });

  test('a derived Ed25519 key shows the public key of a context', async () => {
    await post('keys/ed-derived', { type: 'ed25519', derived: true });
    const signed = (await post('sign/ed-derived', { input: 'YQ==', context: 'YQ==' })).body.data;
    const read = await engine.call('GET', 't/keys/ed-derived?context=YQ%3D%3D');
    expect(read.body.data.keys['1'].public_key).toBe(signed.public_key);
    expect((await get('keys/ed-derived')).body.data.keys['1'].public_key).toBe('');
    expect(
      (await post('verify/ed-derived', { input: 'YQ==', context: 'Yg==', signature: signed.signature })).body
        .data.valid,
    ).toBe(false);
  });
});
