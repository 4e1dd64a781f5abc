import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAuthority, type Identity, issueCertificate } from '../support/cluster/certificates.ts';
import { TestEngine } from './support/engine.ts';

const dir = mkdtempSync(join(tmpdir(), 'sealedvault-clients-'));
const authority = createAuthority('clients');
const operator = issueCertificate(authority, { commonName: 'operator', usage: 'client' });
const impostor = issueCertificate(createAuthority('other'), { commonName: 'operator', usage: 'client' });
const other = issueCertificate(authority, { commonName: 'somebody', usage: 'client' });

let engine: TestEngine;
beforeAll(async () => {
  const server = issueCertificate(createAuthority('listener'), {
    commonName: 'vault',
    usage: 'server',
    addresses: ['127.0.0.1'],
  });
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const tls = {
    address: '127.0.0.1:0',
    tls_cert_file: file('cert', server.certificate),
    tls_key_file: file('key', server.key),
  };
  engine = await TestEngine.start({
    init_client_name: 'operator',
    listener: [
      { tcp: { address: '127.0.0.1:0', tls_disable: true } },
      { tcp: tls },
      { tcp: { ...tls, tls_client_ca_file: file('ca', authority.certificate) } },
    ],
  });
});
afterAll(async () => {
  await engine.stop();
  rmSync(dir, { recursive: true, force: true });
});

function initialize(listener: number, client?: Identity): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `https://${engine.addresses[listener]}/v1/sys/init`,
      {
        method: 'PUT',
        agent: false,
        rejectUnauthorized: false,
        ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
      },
      (message) => {
        message.resume();
        message.on('end', () => resolve(message.statusCode ?? 0));
      },
    );
    outgoing.once('error', reject);
    outgoing.end(JSON.stringify({ recovery_shares: 1, recovery_threshold: 1 }));
  });
}

test('only a client whose certificate the listener’s own authority signed may initialize', async () => {
  expect((await engine.call('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 })).status).toBe(
    403,
  );
  for (const listener of [1, 2]) {
    for (const client of [undefined, impostor, other])
      expect([listener, await initialize(listener, client)]).toEqual([listener, 403]);
  }
  // A listener without an authority asks for certificates, and believes none.
  expect(await initialize(1, operator)).toBe(403);
  expect(await initialize(2, operator)).toBe(200);
});
