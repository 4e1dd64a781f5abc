import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { VaultClientError } from '../../../src/client/errors.ts';
import { createVaultClient, type VaultApi } from '../../../src/client/factory.ts';
import { createAuthority, issueCertificate } from '../../support/cluster/certificates.ts';

const NAME = 'vault.example.svc';
const TOKEN = 'hvs.CANARY';
const authority = createAuthority('vault-authority');
const stranger = createAuthority('another-authority');
let identity: { readonly certificate: string; readonly key: string };
let server: Server | undefined;

beforeAll(() => {
  identity = issueCertificate(authority, { commonName: NAME, usage: 'server', dnsNames: [NAME] });
});

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(listener: RequestListener): Promise<number> {
  server = createServer({ cert: identity.certificate, key: identity.key }, listener);
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function client(port: number, other: { servername?: string; authority?: string } = {}): VaultApi {
  return createVaultClient({
    host: '127.0.0.1',
    port,
    servername: NAME,
    authority: authority.certificate,
    timeoutMs: 1_000,
    ...other,
  });
}

async function failureOf(call: Promise<unknown>): Promise<VaultClientError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof VaultClientError)) throw new Error('it did not fail as it should', { cause: error });
  return error;
}

const sealed = { initialized: true, sealed: true, standby: true, version: '1.0.0' };

describe('client', () => {
  test('503 of a sealed vault is an answer, dialled by address and recognised by name (I1, I3)', async () => {
    let seen = '';
    const port = await serve((request, response) => {
      seen = `${request.method ?? ''} ${request.url ?? ''} ${request.headers.host ?? ''}`;
      response.writeHead(503).end(JSON.stringify(sealed));
    });
    const answer = await client(port).health();
    expect(answer.status).toBe(503);
    expect(answer.body).toMatchObject({ initialized: true, sealed: true });
    expect(answer.certificateExpires?.getTime()).toBeGreaterThan(Date.now());
    expect(seen).toBe(`GET /v1/sys/health ${NAME}`);
  });

  test.each([
    ['another name', { servername: 'other.example.svc' }],
    ['an authority that is not trusted', { authority: stranger.certificate }],
  ])('a certificate of %s is refused before anything is sent', async (_title, other) => {
    let asked = 0;
    const port = await serve((_request, response) => {
      asked += 1;
      response.end('{}');
    });
    expect((await failureOf(client(port, other).health())).code).toBe('ERR_VAULT_CLIENT');
    expect(asked).toBe(0);
  });

  test('a vault that does not answer is given up in time (I2)', async () => {
    const port = await serve(() => undefined);
    expect((await failureOf(client(port).health())).failure).toBe('timeout');
  });

  test('a call ends with its signal (I2)', async () => {
    const port = await serve(() => undefined);
    const call = client(port).health({ signal: AbortSignal.timeout(50) });
    expect((await failureOf(call)).failure).toBe('aborted');
  });

  test('an answer without an end is cut off', async () => {
    const port = await serve((_request, response) => {
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(1024 * 1024, 0x20), more);
      };
      more();
    });
    expect((await failureOf(client(port).health())).failure).toBe('answer');
  });

  test('nothing of a body, and no token, is in an error (I4)', async () => {
    const port = await serve((_request, response) => response.end('CANARY is not JSON'));
    const error = await failureOf(
      client(port).request('POST', 'secret/a', { x: 'CANARY' }, { token: TOKEN }),
    );
    const causes = [error, error.cause].map((each) => (each instanceof Error ? each.message : ''));
    expect(JSON.stringify([error, ...causes])).not.toContain('CANARY');
  });

  test('a token and a body go where they should', async () => {
    const port = await serve((request, response) => {
      request.on('data', (chunk: Buffer) =>
        response.end(
          JSON.stringify({ token: request.headers['x-vault-token'], sent: JSON.parse(String(chunk)) }),
        ),
      );
    });
    const answer = await client(port).request('PUT', 'kv/a', { b: 'c' }, { token: TOKEN });
    expect(answer.body).toEqual({ token: TOKEN, sent: { b: 'c' } });
  });
});
