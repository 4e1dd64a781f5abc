import { z } from 'zod';
import { digestOf } from '../../ceremony/canonical.ts';
import type { CeremonyName } from '../../ceremony/statement.ts';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../lib/json.ts';
import { CeremonyFailure } from './failure.ts';

/** Somebody in a plan, with the OpenPGP key that they are known by. */
export interface Person {
  readonly name: string;
  /** Of the primary key. */
  readonly fingerprint: string;
  readonly encryptionKey?: string | undefined;
  /** Base64 of the binary key; empty when the plan has none. */
  readonly publicKey: string;
  readonly username?: string | undefined;
  readonly group?: string | undefined;
}

/** Somebody who has a share in force. */
export interface Holder {
  readonly name: string;
  readonly fingerprint: string;
  /** What proofs of this share are checked with (share-proof.ts). */
  readonly proofKey: string;
}

/** An HSM, as far as people tell one from another. */
export interface Hsm {
  readonly name?: string | undefined;
  readonly library: { readonly path: string };
  readonly tokenLabel?: string | undefined;
  readonly serial?: string | undefined;
  readonly slotFrom?: { readonly secretKeyRef: { readonly name: string } } | undefined;
  readonly keyLabel?: string | undefined;
  readonly keyId?: string | undefined;
}

/** The frozen plan of a ceremony, as far as people are shown it; the digest is of all of it. */
export interface Manifest {
  readonly version: 1;
  readonly ceremony: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly type: string;
  readonly vault: { readonly name: string; readonly uid: string };
  readonly clusterId: string;
  readonly engineVersion: string;
  readonly seal?:
    | { readonly type: string; readonly keyLabel?: string | undefined; readonly keyId?: string | undefined }
    | undefined;
  readonly threshold?: number | undefined;
  readonly custodians: readonly Person[];
  readonly people: readonly Person[];
  readonly approvals?: { readonly approvers: readonly string[]; readonly required: number } | undefined;
  readonly witnesses?: { readonly names: readonly string[]; readonly required: number } | undefined;
  readonly requester?: string | undefined;
  /** Who can read the root token of an initialization; none is made without it. */
  readonly rootTokenTo?: string | undefined;
  /** Who has the shares in force when the plan is made. */
  readonly holders?: { readonly threshold: number; readonly custodians: readonly Holder[] } | undefined;
  readonly ttl?: string | number | undefined;
  /** The HSM of the vault, and the one that it goes to. */
  readonly sealMigration?:
    | { readonly from: Hsm; readonly to: Hsm; readonly dryRun?: boolean | undefined }
    | undefined;
  /** Custodians answer a test message before there are shares. */
  readonly keyTest?: 'Required' | undefined;
  readonly expiresAt: string;
  readonly nonce: string;
}

const person: z.ZodType<Person> = z.object({
  name: z.string(),
  fingerprint: z.string().default(''),
  encryptionKey: z.string().optional(),
  publicKey: z.string().default(''),
  username: z.string().optional(),
  group: z.string().optional(),
});

const hsm: z.ZodType<Hsm> = z.object({
  name: z.string().optional(),
  library: z.object({ path: z.string() }),
  tokenLabel: z.string().optional(),
  serial: z.string().optional(),
  slotFrom: z.object({ secretKeyRef: z.object({ name: z.string() }) }).optional(),
  keyLabel: z.string().optional(),
  keyId: z.string().optional(),
});

/** A requester is a name; a person of the plan. */
const named: z.ZodType<string> = z.union([
  z.string(),
  z.object({ name: z.string() }).transform(({ name }) => name),
]);

const schema: z.ZodType<Manifest> = z.object({
  version: z.literal(1),
  ceremony: z.object({ namespace: z.string(), name: z.string(), uid: z.string() }),
  type: z.string(),
  vault: z.object({ name: z.string(), uid: z.string().default('') }),
  clusterId: z.string().default(''),
  engineVersion: z.string().default(''),
  seal: z
    .object({ type: z.string(), keyLabel: z.string().optional(), keyId: z.string().optional() })
    .optional(),
  threshold: z.int().optional(),
  custodians: z.array(person).default([]),
  people: z.array(person).default([]),
  approvals: z.object({ approvers: z.array(z.string()), required: z.int() }).optional(),
  witnesses: z.object({ names: z.array(z.string()), required: z.int() }).optional(),
  requester: named.optional(),
  rootTokenTo: z.string().optional(),
  holders: z
    .object({
      threshold: z.int(),
      custodians: z.array(z.object({ name: z.string(), fingerprint: z.string(), proofKey: z.string() })),
    })
    .optional(),
  ttl: z.union([z.string(), z.int()]).optional(),
  sealMigration: z.object({ from: hsm, to: hsm, dryRun: z.boolean().optional() }).optional(),
  keyTest: z.literal('Required').optional(),
  expiresAt: z.string().default(''),
  nonce: z.string(),
});

/** A plan with the digest that was computed here, from its own text. */
export interface Plan {
  readonly manifest: Manifest;
  /** As it is in its file. */
  readonly json: JsonObject;
  readonly digest: string;
  /** What statements name. */
  readonly name: CeremonyName;
}

/** @throws CeremonyFailure when a text is no manifest */
export function parsePlan(text: string): Plan {
  let json: Json;
  try {
    json = parseJson(text);
  } catch (cause) {
    throw notAManifest(cause);
  }
  return planOf(json);
}

/** @throws CeremonyFailure when a value is no manifest, and holds none */
export function planOf(json: Json): Plan {
  if (!isJsonObject(json)) throw notAManifest(undefined);
  // A report holds its manifest.
  const inner = json['manifest'];
  const value = inner !== undefined && isJsonObject(inner) ? inner : json;
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw notAManifest(parsed.error);
  let digest: string;
  try {
    digest = digestOf(value);
  } catch (cause) {
    throw notAManifest(cause);
  }
  const manifest = parsed.data;
  return { manifest, json: value, digest, name: { ...manifest.ceremony, digest } };
}

/** @returns everybody of a plan who has a key */
export function peopleOf({ custodians, people }: Manifest): readonly Person[] {
  return [...custodians, ...people];
}

export function personOf(manifest: Manifest, name: string): Person | undefined {
  return peopleOf(manifest).find((each) => each.name === name);
}

function notAManifest(cause: unknown): CeremonyFailure {
  return new CeremonyFailure('This is no manifest of a ceremony', {
    cause,
    hint: 'it is what the ConfigMap <ceremony>-manifest holds, what plan --out writes, or a report',
  });
}
