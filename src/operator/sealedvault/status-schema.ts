import { z } from 'zod';
import { listMap } from '../crd.ts';

/** What the operator reports about a SealedVault. */

/** A condition in the form that Kubernetes' tools know. */
export const condition: z.ZodType<Condition> = z.object({
  type: z.string().meta({ description: 'What it is about.' }),
  status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'Whether it is so.' }),
  reason: z.string().meta({ description: 'Why, in one word for programs.' }),
  message: z.string().meta({ description: 'Why, and what to do, for people.' }),
  lastTransitionTime: z.iso.datetime().meta({ description: 'When the status changed last.' }),
  observedGeneration: z
    .int()
    .optional()
    .meta({ description: 'The generation of the spec that the condition is about.' }),
});

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number | undefined;
}

export type Phase = 'Pending' | 'Uninitialized' | 'Sealed' | 'Ready' | 'Degraded' | 'Deleting';

const PHASES: readonly Phase[] = ['Pending', 'Uninitialized', 'Sealed', 'Ready', 'Degraded', 'Deleting'];

export interface SealedVaultStatus {
  readonly phase?: Phase | undefined;
  readonly observedGeneration?: number | undefined;
  readonly conditions?: readonly Condition[] | undefined;
  readonly initialized?: boolean | undefined;
  readonly sealed?: boolean | undefined;
  readonly activePod?: string | undefined;
  readonly sealType?: string | undefined;
  readonly version?: string | undefined;
  readonly certificateExpires?: string | undefined;
  readonly authorityExpires?: string | undefined;
  readonly replicas?: number | undefined;
  readonly readyReplicas?: number | undefined;
  readonly selector?: string | undefined;
  readonly recovery?: RecoveryStatus | undefined;
}

/** How well the recovery key is kept. */
export interface RecoveryStatus {
  readonly threshold: number;
  readonly custodians: number;
  /** Custodians who did not prove to have their share lately. */
  readonly unproven: number;
  readonly lastDrill?: string | undefined;
  /** Shares beyond the threshold that are not reported lost; 0 means that none more may be lost. */
  readonly margin: number;
}

/** The schema of `status`. */
export const sealedVaultStatus: z.ZodType<SealedVaultStatus> = z.object({
  phase: z.enum(PHASES).optional().meta({ description: 'In one word; the conditions say more.' }),
  observedGeneration: z
    .int()
    .optional()
    .meta({ description: 'The generation of the spec that the status is about.' }),
  conditions: z
    .array(condition)
    .max(16)
    .optional()
    .meta({ description: 'What is true of it, and why.', ...listMap('type') }),
  initialized: z.boolean().optional().meta({ description: 'As last seen; it never goes back to false.' }),
  sealed: z.boolean().optional().meta({ description: 'Whether the vault is sealed, as last seen.' }),
  activePod: z.string().optional().meta({ description: 'The pod that serves.' }),
  sealType: z.string().optional().meta({ description: 'The type of the seal, as the engine names it.' }),
  version: z.string().optional().meta({ description: 'Version of the engine.' }),
  certificateExpires: z.iso
    .datetime()
    .optional()
    .meta({ description: 'When the certificate of the vault expires.' }),
  authorityExpires: z.iso
    .datetime()
    .optional()
    .meta({ description: 'When the authority of that certificate expires.' }),
  replicas: z.int().optional().meta({ description: 'Pods there are.' }),
  readyReplicas: z.int().optional().meta({ description: 'Pods that are ready.' }),
  selector: z
    .string()
    .optional()
    .meta({ description: 'Selects the pods, for kubectl scale and autoscalers.' }),
  recovery: z
    .object({
      threshold: z.int().meta({ description: 'Custodians who together have the recovery key.' }),
      custodians: z.int().meta({ description: 'Custodians with a share.' }),
      unproven: z.int().meta({ description: 'Custodians who did not prove to have their share lately.' }),
      lastDrill: z.iso
        .datetime()
        .optional()
        .meta({ description: 'When every custodian proved a share last.' }),
      margin: z.int().meta({ description: 'Shares beyond the threshold that are not reported lost.' }),
    })
    .optional()
    .meta({ description: 'How well the recovery key is kept.' }),
});
