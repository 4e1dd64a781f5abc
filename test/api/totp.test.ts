import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';
import { scan } from './support/barcode.ts';

interface Exchange {
  readonly request: { readonly method: string; readonly path: string; readonly body?: any };
  readonly response: { readonly status: number; readonly body?: any };
}

const exchanges = readFileSync(new URL('../unit/engine/totp/exchanges.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Exchange);

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
  await engine.call('POST', 'sys/mounts/t', { type: 'totp' });
});
afterAll(() => engine.stop());

const post = (path: string, body: object) => engine.call('POST', `t/${path}`, body);
const get = (path: string) => engine.call('GET', `t/${path}`);

describe('recorded exchanges', () => {
  for (const [index, { request, response }] of exchanges.entries()) {
    test(`${index} ${request.method} ${request.path} → ${response.status}`, async () => {
      const answer = await engine.call(request.method, request.path.slice('/v1/'.length), request.body);
      expect(answer.status, JSON.stringify(answer.body)).toBe(response.status);
      const data = response.body?.data;
      if (data === undefined) return;
      expect(Object.keys(answer.body.data)).toEqual(Object.keys(data));
      for (const [name, recorded] of Object.entries(data)) {
        if (!/^(?:barcode|url|code|expire_time|generated)$/.test(name))
          expect(answer.body.data[name]).toEqual(recorded);
        else expect(typeof answer.body.data[name]).toBe(typeof recorded);
      }
      if (data.url !== undefined) {
        const shape = (url: string) => url.replace(/secret=[A-Z2-7]{32}/, 'secret=');
        expect(shape(answer.body.data.url)).toBe(shape(data.url));
      }
    });
  }
});

describe('keys and codes', () => {
  test('the barcode of a new key is what an authenticator scans', async () => {
    const key = { generate: true, issuer: 'Vault', account_name: 'canary@example.com' };
    for (const qr_size of [200, 512]) {
      const { barcode, url } = (await post('keys/scanned', { ...key, qr_size })).body.data;
      expect(scan(barcode)).toBe(url);
    }
    for (const qr_size of [20, 100_000])
      expect((await post('keys/odd', { ...key, qr_size })).status).toBe(400);
    expect((await get('keys/odd')).status).toBe(404);
  });

  test('a code of a generated key is good once', async () => {
    const made = await post('keys/gen', { generate: true, issuer: 'Vault', account_name: 'a@b.c', skew: 0 });
    expect(made.body.data.url).toMatch(/^otpauth:\/\/totp\/Vault:a@b\.c\?.*secret=[A-Z2-7]{32}/);
    // The code may change between two calls, once; never twice in a row.
    for (let tries = 0; tries < 2; tries += 1) {
      const { code } = (await get('code/gen')).body.data;
      const first = await post('code/gen', { code });
      if (first.body.data?.valid !== true) continue;
      expect(await post('code/gen', { code: ` ${code} ` })).toMatchObject({
        status: 400,
        body: { errors: ['code already used; wait until the next time period'] },
      });
      return;
    }
    throw new Error('no code was found good');
  });

  test('a key made by the url of one mount makes the same codes in another', async () => {
    const { url } = (
      await post('keys/one', {
        generate: true,
        issuer: 'A B',
        account_name: 'x',
        digits: 8,
        algorithm: 'SHA512',
        period: '1h',
        qr_size: 0,
      })
    ).body.data;
    expect((await post('keys/two', { url })).status).toBe(204);
    expect((await get('keys/two')).body.data).toEqual({
      account_name: 'x',
      algorithm: 'SHA512',
      digits: 8,
      issuer: 'A B',
      period: 3600,
    });
    const codes = await Promise.all([get('code/one'), get('code/two')]);
    expect(codes[0].body.data.code).toMatch(/^\d{8}$/);
    expect(codes[0].body.data.code).toBe(codes[1].body.data.code);
  });

  test('exported=false shows nothing; the secret is never read back', async () => {
    const made = await post('keys/quiet', {
      generate: true,
      exported: false,
      issuer: 'i',
      account_name: 'a',
    });
    expect(made).toMatchObject({ status: 204, body: undefined });
    expect(JSON.stringify((await get('keys/quiet')).body)).not.toMatch(/[A-Z2-7]{32}/);
  });

  test('what cannot be is refused', async () => {
    const generate = { generate: true, issuer: 'i', account_name: 'a' };
    for (const [body, message] of [
      [{}, 'the key value is required'],
      [{ key: 'A1' }, 'invalid key value: illegal base32 data at input byte 1'],
      [{ ...generate, key: 'AAAA' }, 'a key should not be passed if generate is true'],
      [{ ...generate, url: 'otpauth://x' }, 'a url should not be passed if generate is true'],
      [{ ...generate, issuer: '' }, 'the issuer value is required for generated keys'],
      [{ ...generate, account_name: '' }, 'the account_name value is required for generated keys'],
      [{ ...generate, digits: 7 }, 'the digits value can only be 6 or 8'],
      [{ ...generate, algorithm: 'MD5' }, 'the algorithm value is not valid'],
      [{ ...generate, period: 0 }, 'the period value must be greater than zero'],
      [{ ...generate, skew: 2 }, 'the skew value must be 0 or 1'],
      [{ ...generate, qr_size: -1 }, 'the qr_size value must be greater than or equal to zero'],
      [{ ...generate, key_size: 0 }, 'the key_size value must be greater than zero'],
      [
        { url: 'otpauth://totp/a?secret=AAAA&period=x' },
        'an error occurred while parsing period value in url',
      ],
    ] as const)
      expect((await post('keys/bad', body)).body.errors, message).toEqual([message]);
    expect((await get('keys/bad')).status).toBe(404);
    expect((await get('code/none')).body.errors).toEqual(['unknown key: none']);
    expect((await post('code/none', { code: '1' })).body.errors).toEqual(['unknown key: none']);
    expect((await post('code/none', {})).body.errors).toEqual(['the code value is required']);
  });

  test('keys are listed and deleted', async () => {
    await post('keys/a@b', { key: 'GEZDGNBVGY3TQOJQ' });
    expect((await engine.call('LIST', 't/keys')).body.data.keys).toContain('a@b');
    expect((await engine.call('DELETE', 't/keys/a@b')).status).toBe(204);
    expect((await get('keys/a@b')).status).toBe(404);
  });
});
