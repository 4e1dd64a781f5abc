import { z } from 'zod';
import { brokenLink, type EvidenceEntry, headOf } from '../../../ceremony/evidence.ts';
import { canonicalJson } from '../../../ceremony/canonical.ts';
import type { Json } from '../../../lib/json.ts';
import { type Manifest, manifestDigest, manifestText, parseManifest } from '../plan/manifest.ts';

/**
 * All that somebody needs to check a ceremony without a cluster: the plan, the chain of what happened, what people
 * signed, proofs of shares, and the engine's signature over the last digest.
 */
export interface Bundle {
  readonly manifest: Manifest;
  readonly entries: readonly EvidenceEntry[];
  readonly statements: readonly Statement[];
  readonly proofs: readonly Proof[];
  /** Proofs that the engine took, of shares whose keys it does not tell before they are in force. */
  readonly pending?: readonly Proof[] | undefined;
  readonly attestation?: Attestation | undefined;
}

/** Something that a person signed, as it was signed. */
export interface Statement {
  readonly person: string;
  readonly role: 'Approver' | 'Witness' | 'Custodian';
  readonly text: string;
  /** Armored and detached. */
  readonly signature: string;
  /** Base64 of the binary key that the plan has for this person. */
  readonly publicKey: string;
}

/** A proof of having a share, share-proof.ts. */
export interface Proof {
  readonly custodian: string;
  readonly text: string;
  readonly proof: string;
  readonly proofKey: string;
}

/** The engine's signature over the last digest. */
export interface Attestation {
  readonly head: string;
  /** What was signed (engine-statement.ts); engines before it signed the head alone. */
  readonly statement?: string | undefined;
  /** Base64 of SPKI DER. */
  readonly publicKey: string;
  /** Base64 of Ed25519. */
  readonly signature: string;
  readonly engineTime: string;
}

const proof = z.object({
  custodian: z.string(),
  text: z.string(),
  proof: z.string(),
  proofKey: z.string(),
});

const schema = z.object({
  manifest: z.unknown(),
  entries: z.array(
    z.object({
      number: z.int(),
      time: z.string(),
      who: z.string(),
      step: z.string(),
      facts: z.record(z.string(), z.string()),
      previous: z.string(),
    }),
  ),
  statements: z.array(
    z.object({
      person: z.string(),
      role: z.enum(['Approver', 'Witness', 'Custodian']),
      text: z.string(),
      signature: z.string(),
      publicKey: z.string(),
    }),
  ),
  proofs: z.array(proof),
  pending: z.array(proof).optional(),
  attestation: z
    .object({
      head: z.string(),
      statement: z.string().optional(),
      publicKey: z.string(),
      signature: z.string(),
      engineTime: z.string(),
    })
    .optional(),
});

/** @returns the text that is stored */
export function bundleText(bundle: Bundle): string {
  return canonicalJson(JSON.parse(JSON.stringify(bundle)) as Json);
}

/** @returns undefined when this is no evidence of this plan, or its chain is broken */
export function parseBundle(text: string, manifest: Manifest): Bundle | undefined {
  try {
    const found = schema.parse(JSON.parse(text));
    const plan = parseManifest(canonicalJson(found.manifest as Json));
    if (plan === undefined || manifestText(plan) !== manifestText(manifest)) return undefined;
    if (brokenLink(found.entries, manifestDigest(manifest)) !== undefined) return undefined;
    return { ...found, manifest };
  } catch {
    return undefined;
  }
}

/** @returns the digest of the last entry */
export function bundleHead({ entries, manifest }: Bundle): string {
  return headOf(entries, manifestDigest(manifest));
}

/** @returns whether a digest was the last one at some time, from an entry on */
export function wasHead({ entries, manifest }: Bundle, head: string, from: number): boolean {
  const digest = manifestDigest(manifest);
  return entries.some((_, at) => at + 1 >= from && headOf(entries.slice(0, at + 1), digest) === head);
}
