import { z } from 'zod';
import { cel, listMap, type KindDefinition } from '../crd.ts';
import type { KubeObject, ResourceType } from '../runtime/runtime.ts';
import { personName } from '../recoveryceremony/people/schema.ts';
import { condition, type Condition } from '../sealedvault/status-schema.ts';

/** The kind as the API knows it. */
export const DRILL_SCHEDULE: ResourceType = {
  apiVersion: 'sealedvault.io/v1alpha1',
  kind: 'DrillSchedule',
  plural: 'drillschedules',
};

export interface DrillScheduleSpec {
  readonly vaultRef: { readonly name: string };
  readonly everyDays: number;
  readonly withinDays: number;
  readonly suspend: boolean;
}

export interface DrillScheduleStatus {
  readonly observedGeneration?: number | undefined;
  readonly conditions?: readonly Condition[] | undefined;
  readonly lastDrill?: string | undefined;
  readonly lastCompleted?: string | undefined;
  readonly nextDrill?: string | undefined;
}

export interface DrillSchedule extends KubeObject {
  readonly spec: DrillScheduleSpec;
  readonly status?: DrillScheduleStatus;
}

const spec: z.ZodType<DrillScheduleSpec> = z
  .object({
    vaultRef: z
      .object({ name: personName.meta({ description: 'A SealedVault in the namespace of this object.' }) })
      .meta({ description: 'The vault whose custodians are drilled.' }),
    everyDays: z.int().min(1).max(730).default(90).meta({ description: 'Days from one drill to the next.' }),
    withinDays: z
      .int()
      .min(1)
      .max(365)
      .default(14)
      .meta({ description: 'Days in which every custodian answers.' }),
    suspend: z.boolean().default(false).meta({ description: 'No new drill begins.' }),
  })
  .meta(
    cel(
      {
        rule: 'self.withinDays <= self.everyDays',
        message: 'A drill must be over before the next begins.',
      },
      {
        rule: 'self.vaultRef == oldSelf.vaultRef',
        message: 'The vault of a schedule cannot be changed.',
      },
    ),
  );

const status: z.ZodType<DrillScheduleStatus> = z.object({
  observedGeneration: z
    .int()
    .optional()
    .meta({ description: 'The generation of the spec that the status is about.' }),
  conditions: z
    .array(condition)
    .max(8)
    .optional()
    .meta({ description: 'What is true of it, and why.', ...listMap('type') }),
  lastDrill: z.string().optional().meta({ description: 'Name of the newest drill.' }),
  lastCompleted: z.iso.datetime().optional().meta({ description: 'When a drill was completed last.' }),
  nextDrill: z.iso.datetime().optional().meta({ description: 'When the next drill begins.' }),
});

/** Its definition. */
export const drillScheduleKind: KindDefinition = {
  type: DRILL_SCHEDULE,
  singular: 'drillschedule',
  shortNames: ['drills'],
  description: 'The rhythm in which the custodians of a vault prove that they still have their shares.',
  spec,
  status,
  rules: [
    {
      rule: 'self.metadata.name.size() <= 160',
      message: 'The name of a schedule becomes part of the names of drills: at most 160 characters.',
    },
  ],
  columns: [
    { name: 'Vault', type: 'string', jsonPath: '.spec.vaultRef.name' },
    { name: 'Every', type: 'integer', jsonPath: '.spec.everyDays', description: 'Days.' },
    { name: 'Suspended', type: 'boolean', jsonPath: '.spec.suspend' },
    { name: 'Last', type: 'string', jsonPath: '.status.lastCompleted' },
    { name: 'Next', type: 'string', jsonPath: '.status.nextDrill' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
};
