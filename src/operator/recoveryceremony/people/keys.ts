import { type CustodianKey, inspectCustodianKey, type KeyUse } from '../../../ceremony/pgp.ts';
import { fromBase64, text } from '../../../lib/bytes.ts';
import type { SecretObject } from '../../sealedvault/certificates.ts';
import type { ConfigMap } from '../../sealedvault/resources/config.ts';
import { CONFIG_MAP, SECRET } from '../../sealedvault/types.ts';
import type { ReconcileContext } from '../../runtime/runtime.ts';
import type { PersonSpec } from '../spec.ts';

/** What was found out about a person's key. */
export interface KeyFinding {
  readonly name: string;
  readonly key?: CustodianKey;
  readonly problem?: string;
  /** The key can be replaced without another ceremony. */
  readonly referenced: boolean;
}

/**
 * Reads and judges every key; all of them, so that a person sees all problems at once.
 *
 * @param useOf what the key of somebody is needed for
 */
export async function inspectPeople(
  people: readonly PersonSpec[],
  useOf: (name: string) => KeyUse,
  namespace: string,
  context: ReconcileContext,
): Promise<readonly KeyFinding[]> {
  const now = new Date(context.clock.now());
  const found = await Promise.all(
    people.map(async (person): Promise<KeyFinding> => {
      const { name } = person;
      const referenced = person.publicKeyFrom !== undefined;
      const text = person.publicKey ?? (await referencedKey(person, namespace, context));
      if (text === undefined) return { name, referenced, problem: `${describe(person)} is not there` };
      const inspected = await inspectCustodianKey(text, now, useOf(name));
      if (!inspected.ok) return { name, referenced, problem: inspected.message };
      return { name, referenced, key: inspected.key };
    }),
  );
  return found.map((finding) => {
    const { key } = finding;
    const twin = found.find(
      (other) =>
        other.name !== finding.name &&
        key !== undefined &&
        (other.key?.fingerprint === key.fingerprint ||
          (key.encryptionKeyFingerprint !== '' &&
            other.key?.encryptionKeyFingerprint === key.encryptionKeyFingerprint)),
    );
    if (twin === undefined) return finding;
    const referenced = finding.referenced || twin.referenced;
    return {
      ...finding,
      referenced,
      problem: `this is also the key of ${twin.name}: every person needs one of their own`,
    };
  });
}

/** @returns whether the keys can be used, or at least put right. */
export function judgeKeys(found: readonly KeyFinding[]): 'good' | 'waiting' | 'bad' {
  const troubled = found.filter(({ problem }) => problem !== undefined);
  if (troubled.length === 0) return 'good';
  return troubled.every(({ referenced }) => referenced) ? 'waiting' : 'bad';
}

async function referencedKey(
  { publicKeyFrom }: PersonSpec,
  namespace: string,
  { api, signal }: ReconcileContext,
): Promise<string | undefined> {
  const { configMapKeyRef, secretKeyRef } = publicKeyFrom ?? {};
  if (configMapKeyRef !== undefined) {
    const map = await api.get<ConfigMap>(CONFIG_MAP, { namespace, name: configMapKeyRef.name }, signal);
    const { key } = configMapKeyRef;
    return map?.data?.[key] ?? keyText(map?.binaryData?.[key]);
  }
  if (secretKeyRef === undefined) return undefined;
  const secret = await api.get<SecretObject>(SECRET, { namespace, name: secretKeyRef.name }, signal);
  return keyText(secret?.data?.[secretKeyRef.key]);
}

/** @param encoded base64 of a key in any of its forms @returns it as text, or still as base64 when it is binary */
function keyText(encoded: string | undefined): string | undefined {
  const bytes = encoded === undefined ? undefined : fromBase64(encoded);
  if (bytes === undefined) return undefined;
  // Bit 7 of the first octet of an OpenPGP packet is set (RFC 9580 §4.2), and of no armor or base64.
  return (bytes[0] ?? 0) >= 0x80 ? encoded : text(bytes);
}

function describe({ publicKeyFrom }: PersonSpec): string {
  const map = publicKeyFrom?.configMapKeyRef;
  if (map !== undefined) return `the key ${map.key} of ConfigMap ${map.name}`;
  const secret = publicKeyFrom?.secretKeyRef;
  return `the key ${secret?.key ?? ''} of Secret ${secret?.name ?? ''}`;
}

/** @returns what is wrong with keys that expire before they are needed again, by name */
export function expiringKeys(
  found: readonly KeyFinding[],
  nextDrill: Date | undefined,
): ReadonlyMap<string, string> {
  const soon = found.filter(
    ({ key }) => nextDrill !== undefined && key?.expires !== undefined && key.expires < nextDrill,
  );
  return new Map(
    soon.map(({ name, key }) => [
      name,
      `the key expires at ${key?.expires?.toISOString().slice(0, 10)}, before the next drill: extend it`,
    ]),
  );
}
