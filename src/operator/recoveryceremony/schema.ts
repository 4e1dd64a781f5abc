import { z } from 'zod';
import { cel, listMap } from '../crd.ts';
import { condition } from '../sealedvault/status-schema.ts';
import type { CeremonyPhase, RecoveryCeremonySpec, RecoveryCeremonyStatus } from './spec.ts';

/** What a person writes into a RecoveryCeremony, and what the operator reports about it. */

const name = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
const keyRef = z.object({ name: z.string().min(1).max(253), key: z.string().min(1).max(253) });

const publicKeyFrom = z.object({ configMapKeyRef: keyRef.optional(), secretKeyRef: keyRef.optional() }).meta(
  cel({
    rule: 'has(self.configMapKeyRef) != has(self.secretKeyRef)',
    message: 'Exactly one of configMapKeyRef and secretKeyRef must be given.',
  }),
);

const custodian = z
  .object({
    name: name.meta({ description: 'Becomes part of the name of the Secret that holds the share.' }),
    publicKey: z
      .string()
      .min(1)
      .max(65_536)
      .optional()
      .meta({ description: 'An OpenPGP public key: armored, or base64 of the binary one.' }),
    publicKeyFrom: publicKeyFrom.optional(),
  })
  .meta(
    cel({
      rule: 'has(self.publicKey) != has(self.publicKeyFrom)',
      message: 'Exactly one of publicKey and publicKeyFrom must be given.',
    }),
  );

const rootToken = z
  .object({
    encryptTo: name.optional().meta({ description: 'The custodian to whom the root token is encrypted.' }),
    never: z.object({}).optional().meta({ description: 'No root token is issued at all.' }),
  })
  .meta(
    cel({
      rule: 'has(self.encryptTo) != has(self.never)',
      message: 'Exactly one of encryptTo and never must be given.',
    }),
  );

/** The schema of `spec`. */
export const recoveryCeremonySpec: z.ZodType<RecoveryCeremonySpec> = z
  .object({
    vaultRef: z.object({
      name: name.meta({ description: 'A SealedVault in the namespace of this object.' }),
    }),
    type: z.enum(['Initialize']),
    threshold: z.int().min(1).max(32).meta({ description: 'Shares that together make the recovery key.' }),
    custodians: z.array(custodian).min(1).max(32).meta({ description: 'Who gets a share each.' }),
    rootToken,
  })
  .meta(
    cel(
      { rule: 'self == oldSelf', message: 'A ceremony cannot be changed: make another one.' },
      {
        rule: 'self.threshold <= self.custodians.size()',
        message: 'The threshold cannot be larger than the number of custodians.',
      },
      {
        rule: 'self.custodians.size() == 1 || self.threshold >= 2',
        message: 'With more than one custodian the threshold must be at least 2.',
      },
      {
        rule: 'self.custodians.all(each, self.custodians.exists_one(other, other.name == each.name))',
        message: 'Every custodian must have a name of their own.',
      },
      {
        rule: '!has(self.rootToken.encryptTo) || self.custodians.exists(each, each.name == self.rootToken.encryptTo)',
        message: 'encryptTo must name one of the custodians.',
      },
    ),
  );

const CEREMONY_PHASES: readonly CeremonyPhase[] = [
  'Pending',
  'Preflight',
  'Initializing',
  'Delivering',
  'Completed',
  'Failed',
];

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
  delivery: z.enum(['Pending', 'Delivered']).optional(),
  secretName: z.string().optional(),
  sha256: z.string().optional().meta({ description: 'Of the binary OpenPGP message.' }),
});

/** The schema of `status`. */
export const recoveryCeremonyStatus: z.ZodType<RecoveryCeremonyStatus> = z.object({
  phase: z.enum(CEREMONY_PHASES).optional(),
  observedGeneration: z.int().optional(),
  conditions: z.array(condition).max(16).optional().meta(listMap('type')),
  custodians: z.array(custodianStatus).max(32).optional().meta(listMap('name')),
  rootToken: z
    .object({
      custodian: z.string(),
      delivery: z.enum(['Pending', 'Delivered']).optional(),
      secretName: z.string().optional(),
      sha256: z.string().optional(),
    })
    .optional(),
  delivered: z.string().optional().meta({ description: 'Such as 2/3.' }),
  vaultUid: z.string().optional(),
  completedAt: z.iso.datetime().optional(),
});
