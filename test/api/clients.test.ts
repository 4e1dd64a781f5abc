import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

type Client = Record<string, (...args: unknown[]) => Promise<any>>;
const nodeVault = createRequire(import.meta.url)('node-vault') as (options: object) => Client;

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.start();
});
afterAll(() => engine.stop());

const method = (client: Client, name: string, ...args: unknown[]): Promise<any> => {
  const call = client[name];
  if (call === undefined) throw new Error(`node-vault has no ${name}`);
  return call.call(client, ...args);
};

describe('node-vault, a stock client', () => {
  test('asks for the state, mounts, writes, reads, lists, deletes, and manages policies and tokens', async () => {
    const anonymous = nodeVault({ endpoint: engine.address });
    expect(await method(anonymous, 'initialized')).toEqual({ initialized: false });
    // Its init insists on secret_shares, which no HSM-sealed vault takes.
    const { body: made } = await engine.call('PUT', 'sys/init', {
      recovery_shares: 1,
      recovery_threshold: 1,
    });
    expect((await method(anonymous, 'status')).sealed).toBe(false);
    expect((await method(anonymous, 'health')).initialized).toBe(true);

    const root = nodeVault({ endpoint: engine.address, token: made.root_token });
    await method(root, 'mount', { mount_point: 'secret', type: 'kv', options: { version: '2' } });
    await method(root, 'mount', { mount_point: 'old', type: 'kv' });
    expect(Object.keys((await method(root, 'mounts')).data)).toEqual(
      expect.arrayContaining(['secret/', 'old/', 'sys/', 'cubbyhole/']),
    );

    await method(root, 'write', 'secret/data/app', { data: { user: 'a' } });
    expect((await method(root, 'read', 'secret/data/app')).data.data).toEqual({ user: 'a' });
    await method(root, 'update', 'secret/data/app', { data: { more: 'b' } });
    expect((await method(root, 'read', 'secret/data/app')).data.data).toEqual({ user: 'a', more: 'b' });
    expect((await method(root, 'list', 'secret/metadata')).data.keys).toEqual(['app']);
    await method(root, 'write', 'old/x', { v: '1' });
    expect((await method(root, 'list', 'old')).data.keys).toEqual(['x']);
    await method(root, 'delete', 'old/x');
    await expect(method(root, 'read', 'old/x')).rejects.toMatchObject({ response: { statusCode: 404 } });

    await method(root, 'addPolicy', {
      name: 'app',
      rules: 'path "secret/data/app" { capabilities = ["read"] }',
    });
    expect((await method(root, 'policies')).policies).toEqual(['app', 'default', 'root']);
    // The client takes on the token that it creates.
    const issued = await method(root, 'tokenCreate', { policies: ['app'], ttl: '1h' });
    const app = nodeVault({ endpoint: engine.address, token: issued.auth.client_token });
    expect((await method(app, 'tokenLookupSelf')).data.policies).toEqual(['app', 'default']);
    expect((await method(app, 'read', 'secret/data/app')).data.data.user).toBe('a');
    await expect(method(app, 'write', 'secret/data/app', { data: {} })).rejects.toMatchObject({
      response: { statusCode: 403 },
    });
    await method(app, 'tokenRenewSelf', {});
    await method(app, 'tokenRevokeSelf');
    await expect(method(app, 'tokenLookupSelf')).rejects.toMatchObject({ response: { statusCode: 403 } });
    await method(nodeVault({ endpoint: engine.address, token: made.root_token }), 'unmount', {
      mount_point: 'old',
    });
  });
});
