import { z } from 'zod';
import { cel } from '../crd.ts';
import { parseDuration } from '../../lib/duration.ts';
import { person, personName } from './people/schema.ts';
import { ceremonyRules } from './rules.ts';
import type { RecoveryCeremonySpec } from './spec.ts';

/** What a person writes into a RecoveryCeremony. */

const duration = z
  .string()
  .max(32)
  .regex(/^([0-9]+(\.[0-9]+)?(s|m|h))+$/);

const rootToken = z.object({
  encryptTo: personName
    .optional()
    .meta({ description: 'Initialize: the custodian to whom the root token is encrypted.' }),
  never: z.object({}).optional().meta({ description: 'Initialize: no root token is issued at all.' }),
  ttl: duration
    .optional()
    .meta({ description: 'GenerateRoot: how long the token lives; 1h when it is not given.' }),
});

/** The schema of `spec`. */
export const recoveryCeremonySpec: z.ZodType<RecoveryCeremonySpec> = z
  .object({
    vaultRef: z
      .object({ name: personName.meta({ description: 'A SealedVault in the namespace of this object.' }) })
      .meta({ description: 'The vault whose recovery key it is about.' }),
    type: z
      .enum(['Initialize', 'RotateRecovery', 'GenerateRoot', 'Drill', 'BreakGlass', 'SealMigration'])
      .meta({ description: 'What is done.' }),
    threshold: z
      .int()
      .min(1)
      .max(32)
      .optional()
      .meta({ description: 'Shares that together make the recovery key.' }),
    custodians: z.array(person).max(32).default([]).meta({ description: 'Who gets a share each.' }),
    people: z
      .array(person)
      .max(32)
      .default([])
      .meta({ description: 'Approvers, witnesses and requester who get no share.' }),
    requester: personName.optional().meta({ description: 'Who asked for the ceremony.' }),
    rootToken: rootToken.optional().meta({ description: 'Who gets the root token, and for how long.' }),
    sealMigration: z
      .object({
        dryRun: z
          .boolean()
          .default(false)
          .meta({ description: 'Both HSMs prove themselves, and nothing is changed.' }),
      })
      .optional()
      .meta({ description: 'SealMigration: to the HSM in spec.hsm of the SealedVault.' }),
    approvals: z
      .object({
        approvers: z
          .array(personName)
          .min(1)
          .max(32)
          .meta({ description: 'Names of people of the ceremony.' }),
        required: z.int().min(1).max(32).meta({ description: 'How many of them must consent.' }),
      })
      .meta(
        cel({
          rule: 'self.required <= self.approvers.size() && self.approvers.all(each, self.approvers.exists_one(other, other == each))',
          message: 'At most as many approvals can be required as there are approvers, each named once.',
        }),
      )
      .optional()
      .meta({ description: 'Whose signed consent is needed before anything happens.' }),
    witnesses: z
      .object({
        names: z.array(personName).min(1).max(32).meta({ description: 'Names of people of the ceremony.' }),
        required: z.int().min(1).max(32).meta({ description: 'How many of them must sign.' }),
      })
      .meta(
        cel({
          rule: 'self.required <= self.names.size() && self.names.all(each, self.names.exists_one(other, other == each))',
          message: 'At most as many statements can be required as there are witnesses, each named once.',
        }),
      )
      .optional()
      .meta({ description: 'Who signs what happened, at the end.' }),
    keyTest: z.enum(['Required', 'Skip']).optional().meta({
      description:
        'Whether every custodian decrypts a test message and signs its answer before any share is made: Required for Initialize and RotateRecovery, else Skip, when it is not given.',
    }),
    expiresAfter: duration
      .default('72h')
      .meta({ description: 'From the freezing of the plan; then the ceremony ends by itself.' }),
    cancel: z.boolean().default(false).meta({ description: 'Ends the ceremony; it cannot be taken back.' }),
  })
  .meta(cel(...ceremonyRules));

/** @returns milliseconds of a duration that the schema accepted */
export function durationMs(value: string): number {
  return (parseDuration(value) ?? 0) * 1000;
}
