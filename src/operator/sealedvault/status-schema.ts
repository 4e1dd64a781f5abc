import { z } from 'zod';
import { listMap } from '../crd.ts';

/** What the operator reports about a SealedVault. */

/** A condition in the form that Kubernetes' tools know. */
export const condition: z.ZodType<Condition> = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: z.iso.datetime(),
  observedGeneration: z.int().optional(),
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
  observedGeneration: z.int().optional(),
  conditions: z.array(condition).max(16).optional().meta(listMap('type')),
  initialized: z.boolean().optional().meta({ description: 'As last seen; it never goes back to false.' }),
  sealed: z.boolean().optional(),
  activePod: z.string().optional(),
  sealType: z.string().optional(),
  version: z.string().optional(),
  certificateExpires: z.iso.datetime().optional(),
  authorityExpires: z.iso.datetime().optional(),
  replicas: z.int().optional(),
  readyReplicas: z.int().optional(),
  selector: z.string().optional(),
  recovery: z
    .object({
      threshold: z.int(),
      custodians: z.int(),
      unproven: z.int().meta({ description: 'Custodians who did not prove to have their share lately.' }),
      lastDrill: z.iso.datetime().optional(),
      margin: z.int().meta({ description: 'Shares beyond the threshold that are not reported lost.' }),
    })
    .optional(),
});
