import { createServer, connect } from 'node:tls';
import { expect, test } from 'vitest';
import { systemRandom } from '../../../../src/lib/random.ts';
import { tlsRequest } from '../../../../src/operator/sealedvault/certificates.ts';
import { namesOf, podServerName } from '../../../../src/operator/sealedvault/names.ts';
import { ensureTls, expiryOf, type VaultTls } from '../../../../src/lib/tls.ts';

const DAY = 86_400_000;
const START = Date.now();
const key = { namespace: 'vaults', name: 'demo' };
const request = tlsRequest(namesOf(key));
const ensure = (stored: Partial<VaultTls> | undefined, now = START): ReturnType<typeof ensureTls> =>
  ensureTls(stored, request, { clock: { now: () => now }, random: systemRandom });

/** A mutual handshake. @returns the common name that the server saw */
async function handshake(server: VaultTls, client: VaultTls, servername: string): Promise<string> {
  const listener = createServer({
    cert: server['tls.crt'],
    key: server['tls.key'],
    ca: server['ca.crt'],
    requestCert: true,
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    return await new Promise<string>((resolve, reject) => {
      listener.once('secureConnection', (socket) => {
        const { subject } = socket.getPeerCertificate();
        const name = String(subject?.CN);
        if (socket.authorized) resolve(name);
        else reject(new Error('the client is not authorized'));
      });
      const options = { ca: client['ca.crt'], cert: client['client.crt'], key: client['client.key'] };
      connect({ host: '127.0.0.1', port, servername, ...options }).once('error', reject);
    });
  } finally {
    listener.close();
  }
}

test('server and operator know each other by the names that the operator uses', async () => {
  const { tls, changed } = await ensure(undefined);
  expect(changed).toBe(true);
  expect(await handshake(tls, tls, podServerName('demo-0', key))).toBe('sealedvault-operator');
  expect(await handshake(tls, tls, 'demo-active.vaults.svc')).toBe('sealedvault-operator');
  await expect(handshake(tls, tls, 'other.vaults.svc')).rejects.toThrow();
});

test('another vault’s identity is of no use', async () => {
  const [mine, other] = [(await ensure(undefined)).tls, (await ensure(undefined)).tls];
  await expect(handshake(mine, other, podServerName('demo-0', key))).rejects.toThrow();
});

test('nothing is made twice', async () => {
  const { tls } = await ensure(undefined);
  expect(await ensure(tls)).toEqual({ tls, changed: false });
});

test('a certificate is renewed in its last third, under the same authority', async () => {
  const { tls } = await ensure(undefined);
  expect((await ensure(tls, START + 59 * DAY)).changed).toBe(false);
  const renewed = await ensure(tls, START + 61 * DAY);
  expect(renewed.changed).toBe(true);
  expect(renewed.tls['ca.crt']).toBe(tls['ca.crt']);
  expect(+(expiryOf(renewed.tls['tls.crt']) ?? 0)).toBeGreaterThan(+(expiryOf(tls['tls.crt']) ?? 0));
});

test('a renewed authority and what the old one signed still fit together', async () => {
  const { tls } = await ensure(undefined, START - 2500 * DAY);
  const leaves = await ensure(tls, START);
  expect(leaves.tls['ca.key']).toBe(tls['ca.key']);
  expect(leaves.tls['ca.crt']).not.toBe(tls['ca.crt']);
  const before = { ...leaves.tls, 'ca.crt': tls['ca.crt'] };
  expect(await handshake(leaves.tls, before, podServerName('demo-0', key))).toBe('sealedvault-operator');
  expect(await handshake(before, leaves.tls, podServerName('demo-0', key))).toBe('sealedvault-operator');
});

test('what does not belong together is made anew', async () => {
  const [one, two] = [(await ensure(undefined)).tls, (await ensure(undefined)).tls];
  const mixed = await ensure({ ...one, 'tls.crt': two['tls.crt'], 'tls.key': two['tls.key'] });
  expect(mixed.changed).toBe(true);
  expect(await handshake(mixed.tls, one, podServerName('demo-0', key))).toBe('sealedvault-operator');
  expect((await ensure({ ...one, 'client.key': two['client.key'] })).changed).toBe(true);
  expect((await ensure({ ...one, 'ca.key': 'rubbish' })).tls['ca.crt']).not.toBe(one['ca.crt']);
});
