import { answerTo, challengeOf, commitmentTo } from '../../../ceremony/key-test.ts';
import { armorMessage, encryptToCustodian, PgpKeyInvalid } from '../../../ceremony/pgp.ts';
import type { Random } from '../../../lib/random.ts';
import type { Secret } from '../../../lib/secret.ts';
import type { KubeObject } from '../../runtime/runtime.ts';
import type { RecoveryCeremony } from '../kind.ts';
import { ceremonyName, type FrozenPerson, type Manifest } from '../plan/manifest.ts';
import { type Data, isOwned, ownedMap } from '../plan/store.ts';

/** The name of the ConfigMap that holds the test messages. */
export function challengesName(ceremony: RecoveryCeremony): string {
  return `${ceremony.metadata.name}-key-test`;
}

/**
 * A test message for each custodian, to the key that their share would be encrypted to, with a commitment to the answer.
 * The ConfigMap cannot be changed, and goes with the ceremony. What the messages say is kept nowhere.
 *
 * @throws ERR_PGP_KEY when a key of the plan is no longer valid
 */
export async function challengesObject(
  ceremony: RecoveryCeremony,
  manifest: Manifest,
  random: Random,
): Promise<KubeObject> {
  const name = ceremonyName(manifest);
  const data: Record<string, string> = { digest: name.digest };
  for (const custodian of manifest.custodians ?? []) {
    using challenge = challengeOf(random.bytes(32));
    data[`${custodian.name}.asc`] = armorMessage(await encryptTo(custodian, challenge));
    data[commitmentKey(custodian.name)] = commitmentTo(name, custodian.name, answerTo(challenge) ?? '');
  }
  return { ...ownedMap(ceremony, challengesName(ceremony), data), immutable: true } as KubeObject;
}

/** @returns the commitments by custodian; undefined when the object is another's, or not of this plan */
export function readCommitments(
  ceremony: RecoveryCeremony,
  manifest: Manifest,
  object: Data | undefined,
): Readonly<Record<string, string>> | undefined {
  if (!isOwned(ceremony, object) || object?.data?.['digest'] !== ceremonyName(manifest).digest)
    return undefined;
  const { data } = object;
  const found = (manifest.custodians ?? []).map(({ name }) => [name, data[commitmentKey(name)]] as const);
  if (found.some(([, commitment]) => commitment === undefined)) return undefined;
  return Object.fromEntries(found.map(([name, commitment = '']) => [name, commitment]));
}

async function encryptTo({ name, publicKey }: FrozenPerson, challenge: Secret): Promise<Uint8Array> {
  try {
    return await encryptToCustodian(challenge, publicKey);
  } catch (cause) {
    if (!(cause instanceof PgpKeyInvalid)) throw cause;
    throw new PgpKeyInvalid(`no message can be encrypted to the key of ${name}`, { cause });
  }
}

function commitmentKey(custodian: string): string {
  return `${custodian}.commitment`;
}
