import { z } from 'zod';
import { listMap } from '../crd.ts';
import { condition } from '../sealedvault/status-schema.ts';
import type { CeremonyPhase, RecoveryCeremonyStatus } from './spec.ts';

/** What the operator reports about a RecoveryCeremony. */

const CEREMONY_PHASES: readonly CeremonyPhase[] = [
  'Pending',
  'Preflight',
  'AwaitingApproval',
  'TestingKeys',
  'Initializing',
  'ProvingSeals',
  'Collecting',
  'Delivering',
  'Proving',
  'Drilling',
  'AwaitingWitness',
  'Completed',
  'Failed',
  'Expired',
  'Cancelled',
];

const delivery = {
  delivery: z
    .enum(['Pending', 'Delivered'])
    .optional()
    .meta({ description: 'Whether the encrypted message is in its Secret.' }),
  secretName: z.string().optional().meta({ description: 'The Secret with the encrypted message.' }),
  sha256: z.string().optional().meta({ description: 'Of the binary OpenPGP message.' }),
};

const custodianStatus = z.object({
  name: z.string().meta({ description: 'As the ceremony names them.' }),
  fingerprint: z.string().optional().meta({ description: 'Of the primary key.' }),
  encryptionKey: z
    .string()
    .optional()
    .meta({ description: 'Fingerprint of the key that the share is encrypted to.' }),
  algorithm: z.string().optional().meta({ description: 'Of the key that the share is encrypted to.' }),
  expires: z.iso.datetime().optional().meta({ description: 'When the key expires.' }),
  problem: z.string().optional().meta({ description: 'Why this key cannot receive a share.' }),
  warning: z.string().optional().meta({ description: 'What will be wrong with this key before long.' }),
  keyTest: z
    .enum(['Pending', 'Answered'])
    .optional()
    .meta({ description: 'Whether the custodian answered the test message.' }),
  ...delivery,
  receipt: z.enum(['Accepted', 'Lost']).optional().meta({ description: 'What the custodian signed.' }),
  proven: z.boolean().optional().meta({ description: 'The custodian proved to have the share.' }),
});

/** The schema of `status`. */
export const recoveryCeremonyStatus: z.ZodType<RecoveryCeremonyStatus> = z.object({
  phase: z.enum(CEREMONY_PHASES).optional().meta({ description: 'In one word; the conditions say more.' }),
  observedGeneration: z
    .int()
    .optional()
    .meta({ description: 'The generation of the spec that the status is about.' }),
  conditions: z
    .array(condition)
    .max(16)
    .optional()
    .meta({ description: 'What is true of it, and why.', ...listMap('type') }),
  manifestDigest: z
    .string()
    .optional()
    .meta({ description: 'Of the frozen plan; what people sign binds to it.' }),
  nonce: z.string().optional().meta({ description: 'The engine’s, to be compared before a share is given.' }),
  progress: z.string().optional().meta({ description: 'Shares or proofs that came and are needed: 1/2.' }),
  approvals: z.string().optional().meta({ description: 'Approvals that came and are needed: 1/2.' }),
  custodians: z
    .array(custodianStatus)
    .max(32)
    .optional()
    .meta({ description: 'Key, share and answers of each custodian.', ...listMap('name') }),
  rootToken: z
    .object({
      custodian: z.string().meta({ description: 'Who can read it.' }),
      ...delivery,
      expiresAt: z.iso.datetime().optional().meta({ description: 'When the token ends by itself.' }),
      state: z
        .enum(['active', 'revoked', 'expired'])
        .optional()
        .meta({ description: 'Whether the token can still be used.' }),
    })
    .optional()
    .meta({ description: 'The root token, and its end.' }),
  delivered: z.string().optional().meta({ description: 'Such as 2/3.' }),
  generation: z
    .int()
    .optional()
    .meta({ description: 'Which set of shares was made or drilled, by the engine’s count.' }),
  vaultUid: z.string().optional().meta({ description: 'The uid of the SealedVault.' }),
  expiresAt: z.iso.datetime().optional().meta({ description: 'When the ceremony ends by itself.' }),
  evidence: z
    .object({
      entries: z.int().meta({ description: 'Entries of the log.' }),
      head: z.string().meta({ description: 'Digest of its last entry; a witness signs it.' }),
      configMap: z.string().meta({ description: 'The ConfigMap that holds it.' }),
    })
    .optional()
    .meta({ description: 'The log of what was done.' }),
  completedAt: z.iso.datetime().optional().meta({ description: 'When the ceremony was completed.' }),
});
