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
  delivery: z.enum(['Pending', 'Delivered']).optional(),
  secretName: z.string().optional(),
  sha256: z.string().optional().meta({ description: 'Of the binary OpenPGP message.' }),
};

const custodianStatus = z.object({
  name: z.string(),
  fingerprint: z.string().optional().meta({ description: 'Of the primary key.' }),
  encryptionKey: z
    .string()
    .optional()
    .meta({ description: 'Fingerprint of the key that the share is encrypted to.' }),
  algorithm: z.string().optional(),
  expires: z.iso.datetime().optional(),
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
  phase: z.enum(CEREMONY_PHASES).optional(),
  observedGeneration: z.int().optional(),
  conditions: z.array(condition).max(16).optional().meta(listMap('type')),
  manifestDigest: z
    .string()
    .optional()
    .meta({ description: 'Of the frozen plan; what people sign binds to it.' }),
  nonce: z.string().optional().meta({ description: 'The engine’s, to be compared before a share is given.' }),
  progress: z.string().optional().meta({ description: 'Shares or proofs that came and are needed: 1/2.' }),
  approvals: z.string().optional().meta({ description: 'Approvals that came and are needed: 1/2.' }),
  custodians: z.array(custodianStatus).max(32).optional().meta(listMap('name')),
  rootToken: z
    .object({
      custodian: z.string().meta({ description: 'Who can read it.' }),
      ...delivery,
      expiresAt: z.iso.datetime().optional(),
      state: z.enum(['active', 'revoked', 'expired']).optional(),
    })
    .optional(),
  delivered: z.string().optional().meta({ description: 'Such as 2/3.' }),
  generation: z
    .int()
    .optional()
    .meta({ description: 'Which set of shares was made or drilled, by the engine’s count.' }),
  vaultUid: z.string().optional(),
  expiresAt: z.iso.datetime().optional(),
  evidence: z.object({ entries: z.int(), head: z.string(), configMap: z.string() }).optional(),
  completedAt: z.iso.datetime().optional(),
});
