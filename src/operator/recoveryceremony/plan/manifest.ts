import { z } from 'zod';
import { canonicalJson, digestOf } from '../../../ceremony/canonical.ts';
import type { Json } from '../../../lib/json.ts';
import type { CeremonyName } from '../../../ceremony/statement.ts';
import { hsm } from '../../sealedvault/schema.ts';
import type { HsmSpec } from '../../sealedvault/spec.ts';

/**
 * The plan of a ceremony, frozen before anybody signs: what is done, by whom, with which keys, to which vault. What
 * people sign binds to its digest, so that a plan that is another has no consent.
 */
export interface Manifest {
  readonly version: 1;
  readonly ceremony: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly type: string;
  readonly vault: { readonly name: string; readonly uid: string };
  /** Empty before the vault is initialized. */
  readonly clusterId: string;
  readonly engineVersion: string;
  readonly seal: {
    readonly type: string;
    readonly keyLabel?: string | undefined;
    readonly keyId?: string | undefined;
  };
  readonly threshold?: number | undefined;
  readonly custodians?: readonly FrozenPerson[] | undefined;
  readonly people?: readonly FrozenPerson[] | undefined;
  /** Who has the shares in force when the plan is made. */
  readonly holders?: FrozenHolders | undefined;
  readonly approvals?: { readonly approvers: readonly string[]; readonly required: number } | undefined;
  readonly witnesses?: { readonly names: readonly string[]; readonly required: number } | undefined;
  readonly requester?: string | undefined;
  /** Initialize: who can read the root token; none is made without it. */
  readonly rootTokenTo?: string | undefined;
  /** GenerateRoot: a duration. */
  readonly ttl?: string | undefined;
  /** SealMigration: the HSM of the vault, and the one that it goes to. */
  readonly sealMigration?:
    | { readonly from: HsmSpec; readonly to: HsmSpec; readonly dryRun?: true | undefined }
    | undefined;
  /** Custodians answer a test message before anything is asked of the engine. */
  readonly keyTest?: 'Required' | undefined;
  /** ISO 8601. */
  readonly expiresAt: string;
  /** Base64 of 32 random bytes. */
  readonly nonce: string;
}

export interface FrozenPerson {
  readonly name: string;
  readonly fingerprint: string;
  readonly encryptionKey: string;
  readonly algorithm: string;
  readonly expires?: string | undefined;
  /** Base64 of the binary public key. */
  readonly publicKey: string;
  readonly username?: string | undefined;
  readonly group?: string | undefined;
}

export interface FrozenHolders {
  readonly generation: number;
  readonly threshold: number;
  readonly custodians: readonly {
    readonly name: string;
    readonly fingerprint: string;
    /** share-proof.ts. */
    readonly proofKey: string;
  }[];
}

// With no default put in: the digest is of what was written.
const asWritten = z.custom<HsmSpec>((value) => hsm.safeParse(value).success);

const person = z.object({
  name: z.string(),
  fingerprint: z.string(),
  encryptionKey: z.string(),
  algorithm: z.string(),
  expires: z.string().optional(),
  publicKey: z.string(),
  username: z.string().optional(),
  group: z.string().optional(),
});

const schema: z.ZodType<Manifest> = z.strictObject({
  version: z.literal(1),
  ceremony: z.object({ namespace: z.string(), name: z.string(), uid: z.string() }),
  type: z.string(),
  vault: z.object({ name: z.string(), uid: z.string() }),
  clusterId: z.string(),
  engineVersion: z.string(),
  seal: z.object({ type: z.string(), keyLabel: z.string().optional(), keyId: z.string().optional() }),
  threshold: z.int().optional(),
  custodians: z.array(person).optional(),
  people: z.array(person).optional(),
  holders: z
    .object({
      generation: z.int(),
      threshold: z.int(),
      custodians: z.array(z.object({ name: z.string(), fingerprint: z.string(), proofKey: z.string() })),
    })
    .optional(),
  approvals: z.object({ approvers: z.array(z.string()), required: z.int() }).optional(),
  witnesses: z.object({ names: z.array(z.string()), required: z.int() }).optional(),
  requester: z.string().optional(),
  rootTokenTo: z.string().optional(),
  ttl: z.string().optional(),
  sealMigration: z.object({ from: asWritten, to: asWritten, dryRun: z.literal(true).optional() }).optional(),
  keyTest: z.literal('Required').optional(),
  expiresAt: z.string(),
  nonce: z.string(),
});

/** @returns the manifest as it is stored and digested */
export function manifestText(manifest: Manifest): string {
  return canonicalJson(asJson(manifest));
}

/** @returns `sha256:…` */
export function manifestDigest(manifest: Manifest): string {
  return digestOf(asJson(manifest));
}

/** @returns undefined for what is no manifest, or is not written in the one form that has its digest */
export function parseManifest(text: string): Manifest | undefined {
  try {
    const manifest = schema.parse(JSON.parse(text));
    return manifestText(manifest) === text.trim() ? manifest : undefined;
  } catch {
    return undefined;
  }
}

/** @returns a custodian or another of the people */
export function personOf(manifest: Manifest, name: string): FrozenPerson | undefined {
  return [...(manifest.custodians ?? []), ...(manifest.people ?? [])].find((each) => each.name === name);
}

/** @returns what every statement about this ceremony begins with */
export function ceremonyName(manifest: Manifest): CeremonyName {
  return { ...manifest.ceremony, digest: manifestDigest(manifest) };
}

// A member that is undefined is none.
function asJson(value: object): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
