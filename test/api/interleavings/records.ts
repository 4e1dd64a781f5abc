import type { Record } from './races.ts';
import { identity, methods } from './records-auth.ts';
import { engines, system } from './records-engines.ts';
import type { World } from './world.ts';

/** What entries need that only a running vault can make. */
export interface Made {
  readonly certificate: string;
  readonly publicKey: string;
  readonly crl: string;
  /** Of an auth mount. */
  readonly accessor: string;
}

export async function prepare(world: World): Promise<Made> {
  const root = await world.done('POST', 'pki/root/generate/internal', {
    common_name: 'races',
    ttl: '1h',
    key_type: 'ec',
  });
  await world.done('POST', 'transit/keys/jwt', { type: 'ecdsa-p256' });
  return {
    certificate: root.data.certificate,
    publicKey: (await world.done('GET', 'transit/keys/jwt')).data.keys['1'].public_key,
    crl: (await world.done('GET', 'pki/cert/crl')).data.certificate,
    accessor: (await world.done('GET', 'sys/auth')).data['userpass/'].accessor,
  };
}

/** Everything that clients write, one entry a record. `{}` is its name; `{id}` what the first answer calls `id`. */
export function records({ certificate, publicKey, crl, accessor }: Made): Record[] {
  return [...methods(certificate, publicKey, crl), ...identity(accessor), ...engines(), ...system()];
}
