import { createPrivateKey, createPublicKey } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';
import { files, openssl } from './support/openssl.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
});
afterAll(() => engine.stop());

const call = (method: string, path: string, body?: object) => engine.call(method, path, body);
let mounts = 0;

async function mount(): Promise<string> {
  mounts += 1;
  await call('POST', `sys/mounts/pki${mounts}`, { type: 'pki', config: { max_lease_ttl: '87600h' } });
  return `pki${mounts}`;
}

async function withRoot(more: object = {}): Promise<{ pki: string; root: any }> {
  const pki = await mount();
  const answer = await call('POST', `${pki}/root/generate/internal`, {
    common_name: 'root.test',
    ttl: '8760h',
    key_type: 'ec',
    ...more,
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return { pki, root: answer.body.data };
}

const text = (pem: string) => openssl(['x509', '-noout', '-text'], pem);

describe('roots and leaves', () => {
  const kinds = [
    { key_type: 'rsa', key_bits: 2048, signature: 'sha256WithRSAEncryption' },
    { key_type: 'rsa', key_bits: 3072, signature_bits: 384, signature: 'sha384WithRSAEncryption' },
    { key_type: 'rsa', key_bits: 2048, use_pss: true, signature_bits: 512, signature: 'rsassaPss' },
    { key_type: 'ec', key_bits: 224, signature: 'ecdsa-with-SHA256' },
    { key_type: 'ec', key_bits: 256, signature: 'ecdsa-with-SHA256' },
    { key_type: 'ec', key_bits: 384, signature: 'ecdsa-with-SHA384' },
    { key_type: 'ec', key_bits: 521, signature: 'ecdsa-with-SHA512' },
    { key_type: 'ed25519', key_bits: 0, signature: 'ED25519' },
  ];
  for (const { signature, ...key } of kinds) {
    test(`${JSON.stringify(key)}: openssl verifies the leaf`, async () => {
      const { pki, root } = await withRoot(key);
      await call('POST', `${pki}/roles/any`, { allow_any_name: true, ...key });
      const { body, status } = await call('POST', `${pki}/issue/any`, { common_name: 'a.test' });
      expect(status, JSON.stringify(body)).toBe(200);
      const dir = files({ 'root.pem': root.certificate, 'leaf.pem': body.data.certificate });
      expect(openssl(['verify', '-x509_strict', '-CAfile', 'root.pem', 'leaf.pem'], '', dir)).toContain('OK');
      expect(text(body.data.certificate)).toContain(signature);
      const own = createPrivateKey(body.data.private_key);
      const spki = { type: 'spki', format: 'pem' } as const;
      expect(createPublicKey(own).export(spki)).toBe(createPublicKey(body.data.certificate).export(spki));
      expect(body.data.private_key_type).toBe(key.key_type);
    });
  }
});
