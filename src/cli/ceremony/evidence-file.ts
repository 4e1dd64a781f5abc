import { z } from 'zod';
import type { EvidenceEntry } from '../../ceremony/evidence.ts';
import type { Json } from '../../lib/json.ts';
import { CeremonyFailure } from './failure.ts';
import { type Plan, planOf } from './manifest.ts';

const MAX_ENTRIES = 320;
const MAX_SAID = 1024;

/** A text that somebody signed. */
export interface Statement {
  readonly person: string;
  readonly role: string;
  readonly text: string;
  /** Armored, detached. */
  readonly signature: string;
  /** Base64. */
  readonly publicKey: string;
}

/** A proof of a share (share-proof.ts). */
export interface Proof {
  readonly custodian: string;
  readonly text: string;
  readonly proof: string;
  readonly proofKey: string;
}

/** What the engine signed. */
export interface Attestation {
  readonly head: string | undefined;
  /** engine-statement.ts; undefined from engines that signed the head alone. */
  readonly statement: string | undefined;
  /** Base64 of SPKI. */
  readonly publicKey: string;
  readonly signature: string;
  readonly engineTime: string;
}

interface EvidenceFile {
  readonly manifest?: unknown;
  readonly entries: readonly EvidenceEntry[];
  readonly statements: readonly Statement[];
  readonly proofs: readonly Proof[];
  readonly attestation?: Attestation | undefined;
}

// Strict: what nobody signed must not ride along.
const entry: z.ZodType<EvidenceEntry> = z.strictObject({
  number: z.int(),
  time: z.string(),
  who: z.string(),
  step: z.string(),
  facts: z.record(z.string(), z.string()),
  previous: z.string(),
});
const statement: z.ZodType<Statement> = z.object({
  person: z.string(),
  role: z.string(),
  text: z.string(),
  signature: z.string(),
  publicKey: z.string(),
});
const proof: z.ZodType<Proof> = z.object({
  custodian: z.string(),
  text: z.string(),
  proof: z.string(),
  proofKey: z.string(),
});
const attestation: z.ZodType<Attestation> = z
  .object({
    head: z.string().optional(),
    statement: z.string().max(1024).optional(),
    public_key: z.string().optional(),
    publicKey: z.string().optional(),
    signature: z.string(),
    engine_time: z.string().optional(),
    engineTime: z.string().optional(),
  })
  .transform((found) => ({
    head: found.head,
    statement: found.statement,
    publicKey: found.publicKey ?? found.public_key ?? '',
    signature: found.signature,
    engineTime: found.engineTime ?? found.engine_time ?? '',
  }));
const schema: z.ZodType<EvidenceFile> = z.object({
  manifest: z.unknown(),
  entries: z.array(entry).max(MAX_ENTRIES),
  statements: z.array(statement).max(MAX_SAID).default([]),
  proofs: z.array(proof).max(MAX_SAID).default([]),
  attestation: attestation.optional(),
});

/** All that a ceremony leaves behind: enough to check it without the cluster, the vault or the network. */
export interface Evidence {
  readonly plan: Plan;
  readonly entries: readonly EvidenceEntry[];
  readonly statements: readonly Statement[];
  readonly proofs: readonly Proof[];
  readonly attestation: Attestation | undefined;
}

/** @throws CeremonyFailure when a value is not in the form of evidence; nothing in it is believed yet */
export function readEvidence(value: Json): Evidence {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue === undefined ? '' : `: ${issue.path.join('.')} ${issue.message.toLowerCase()}`;
    throw new CeremonyFailure(`This is no evidence of a ceremony${where}`, {
      cause: parsed.error,
      hint: 'it is what the ConfigMap <ceremony>-evidence holds, or what report wrote as JSON',
    });
  }
  const { manifest, entries, statements, proofs, attestation: attested } = parsed.data;
  return { plan: planOf(manifest as Json), entries, statements, proofs, attestation: attested };
}
