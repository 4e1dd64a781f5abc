import { beforeEach, expect, test } from 'vitest';
import { Leases } from '../../../../src/engine/lease/lease.ts';
import type { HeldLease, SecretLease, SecretRenewal } from '../../../../src/engine/logical/lease.ts';
import type { TokenEntry } from '../../../../src/engine/logical/request.ts';
import { systemRandom } from '../../../../src/lib/random.ts';
import { FakeClock } from '../../operator/runtime/clock.ts';
import { Memory } from '../identity/memory.ts';

const limits = { default: 100, max: 1000 };
const at = { path: 'db/creds/app', mount: 'database_1', limits };
const secret: SecretLease = { ttl: 60, maxTtl: 0, renewable: true, internal: { user: 'u1' } };
const token = { hash: 'hash-1', parent: '', type: 'service', expireTime: 0 } as TokenEntry;

let memory: Memory;
let clock: FakeClock;
let revoked: string[];
let failing: boolean;
let renewal: SecretRenewal;
const open = () =>
  new Leases({
    storage: memory,
    clock,
    random: systemRandom,
    holder: (accessor) =>
      accessor === 'database_1'
        ? {
            limits,
            backend: {
              revokeSecret: async ({ internal }: HeldLease) => {
                await Promise.resolve();
                if (failing) throw new Error('the database is away');
                revoked.push(internal['user'] as string);
              },
              renewSecret: async () => {
                await Promise.resolve();
                return renewal;
              },
            },
          }
        : undefined,
  });
beforeEach(() => {
  memory = new Memory();
  clock = new FakeClock();
  revoked = [];
  failing = false;
  renewal = { ttl: 60, maxTtl: 0 };
});

test('a secret without a lifetime gets the default of the mount, and one beyond the maximum a warning', async () => {
  const leases = open();
  expect(await leases.register({ ...secret, ttl: 0 }, at, token)).toMatchObject({ ttl: 100, warnings: [] });
  const long = await leases.register({ ...secret, ttl: 7200 }, at, token);
  expect(long).toMatchObject({
    ttl: 1000,
    warnings: ['TTL of "2h0m0s" exceeded the effective max_ttl of "16m40s"; TTL value is capped accordingly'],
  });
  expect(long.lease.id).toMatch(/^db\/creds\/app\/[0-9A-Za-z]{24}$/);
});

test('a renewal counts from now, and its maximum from the issue', async () => {
  const leases = open();
  const { lease } = await leases.register(secret, at, token);
  clock.stall(50_000);
  expect(await leases.renew(lease.id, 0)).toMatchObject({ ttl: 60, warnings: [] });
  expect(await leases.renew(lease.id, 5000)).toMatchObject({
    ttl: 950,
    warnings: [expect.stringContaining('TTL of "1h23m20s" exceeded the effective max_ttl of "15m50s"')],
  });
  clock.stall(949_000);
  expect(await leases.renew(lease.id, 60)).toMatchObject({ ttl: 1 });
  clock.stall(1000);
  expect(await leases.renew(lease.id, 60)).toEqual({ refused: 'lease expired' });
  expect(await leases.renew('db/creds/app/none', 60)).toEqual({ refused: 'lease not found' });
  const fixed = await leases.register({ ...secret, renewable: false }, at, token);
  expect(await leases.renew(fixed.lease.id, 0)).toEqual({ refused: 'lease is not renewable' });
});

test('an expired secret is taken back, and every key of its lease is gone', async () => {
  const leases = open();
  const { lease } = await leases.register(secret, at, token);
  await leases.sweep();
  expect(revoked).toEqual([]);
  clock.stall(60_000);
  await leases.sweep();
  expect(revoked).toEqual(['u1']);
  expect(await leases.lookup(lease.id)).toBeUndefined();
  expect([...memory.entries.keys()]).toEqual([]);
});

test('a failing revocation is tried six times, later each time, and is then irrevocable until it is forced', async () => {
  const leases = open();
  const { lease } = await leases.register(secret, at, token);
  failing = true;
  let tries = 0;
  clock.stall(60_000);
  for (let second = 0; second < 3000; second += 1) {
    tries += await leases.sweep();
    clock.stall(1000);
  }
  expect(tries).toBe(6);
  expect(await leases.irrevocable()).toMatchObject([{ id: lease.id, error: 'the database is away' }]);
  expect(await leases.revoke(lease.id)).toBe(`failed to revoke "${lease.id}": the database is away`);
  expect(await leases.revokePrefix('db/')).toContain('the database is away');
  expect(await leases.revokePrefix('db/', true)).toBeUndefined();
  expect(await leases.irrevocable()).toEqual([]);
  expect([...memory.entries.keys()]).toEqual([]);
});

test('an engine that fails does not hold up the others, nor lose tries it did not get', async () => {
  const leases = open();
  for (let count = 0; count < 200; count += 1) await leases.register({ ...secret, ttl: 5 }, at, token);
  await leases.register({ ...secret, ttl: 6 }, { ...at, mount: 'gone' }, token);
  failing = true;
  clock.stall(7000);
  await leases.sweep();
  const states = await Promise.all(
    (await leases.list('db/creds/app/')).map((key) => leases.lookup(`db/creds/app/${key}`)),
  );
  expect(states.filter((lease) => lease?.mount === 'gone')).toEqual([]);
  expect(states.filter((lease) => lease?.failures === 1)).toHaveLength(64);
  expect(states.filter((lease) => lease?.failures === 0)).toHaveLength(136);
  failing = false;
  clock.stall(40_000);
  await leases.sweep();
  expect(revoked).toHaveLength(200);
});

test('a lease ends with its token; that of a batch token with the parent, and never after the token', async () => {
  const leases = open();
  const own = await leases.register(secret, at, token);
  const batch = { ...token, hash: 'b', parent: 'hash-1', type: 'batch', expireTime: now() + 20 } as const;
  const child = await leases.register({ ...secret, internal: { user: 'u2' } }, at, batch);
  const other = await leases.register({ ...secret, internal: { user: 'u3' } }, at, { ...token, hash: 'x' });
  expect(child.ttl).toBe(20);
  expect(await leases.renew(child.lease.id, 500)).toMatchObject({ ttl: 20 });
  await leases.expireOfToken('hash-1');
  await leases.sweep();
  expect(revoked.toSorted()).toEqual(['u1', 'u2']);
  expect(await leases.lookup(own.lease.id)).toBeUndefined();
  expect(await leases.lookup(other.lease.id)).toBeDefined();
});

test('renewal and revocation at the same time leave no lease without a secret, nor a secret without a lease', async () => {
  const leases = open();
  const { lease } = await leases.register(secret, at, token);
  await Promise.all([
    leases.renew(lease.id, 0),
    leases.revoke(lease.id),
    leases.renew(lease.id, 0),
    leases.expire(lease.id),
    leases.revoke(lease.id),
  ]);
  expect(revoked).toEqual(['u1']);
  expect([...memory.entries.keys()]).toEqual([]);
});

test('a start reads nothing, and a sweep only what is due', async () => {
  const before = open();
  for (let count = 0; count < 500; count += 1) await before.register({ ...secret, ttl: 900 }, at, token);
  await before.register({ ...secret, ttl: 5 }, at, token);
  memory.reads = 0;
  const leases = open();
  expect(memory.reads).toBe(0);
  clock.stall(5000);
  expect(await leases.sweep()).toBe(1);
  expect(memory.reads).toBeLessThan(5);
  expect((await leases.list('db/creds/app/')).length).toBe(500);
});

function now(): number {
  return Math.floor(clock.now() / 1000);
}
