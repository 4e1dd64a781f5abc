import { z } from 'zod';
import { cel, type KindDefinition } from '../../crd.ts';
import type { KubeObject, ResourceType } from '../../runtime/runtime.ts';
import { personName, userName } from '../people/schema.ts';
import { type Verdict, verdictSchema } from '../verdict.ts';

/** The kind as the API knows it. */
export const CEREMONY_APPROVAL: ResourceType = {
  apiVersion: 'sealedvault.io/v1alpha1',
  kind: 'CeremonyApproval',
  plural: 'ceremonyapprovals',
};

export interface CeremonyApprovalSpec {
  readonly ceremonyRef: { readonly name: string };
  readonly person: string;
  readonly username?: string | undefined;
  readonly role: 'Approver' | 'Witness';
  readonly digest: string;
  readonly evidence?: string | undefined;
  readonly deviations?: string | undefined;
  readonly signature: string;
}

export interface CeremonyApproval extends KubeObject {
  readonly spec: CeremonyApprovalSpec;
  readonly status?: Verdict;
}

/** A digest as people sign it. */
export const digest: z.ZodString = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** A detached signature as gpg writes it. */
export const signature: z.ZodString = z.string().min(1).max(16_384);

const spec: z.ZodType<CeremonyApprovalSpec> = z
  .object({
    ceremonyRef: z
      .object({
        name: z
          .string()
          .min(1)
          .max(253)
          .meta({ description: 'A RecoveryCeremony in the namespace of this object.' }),
      })
      .meta({ description: 'The ceremony that it is for.' }),
    person: personName.meta({ description: 'As the ceremony names them.' }),
    username: userName.optional().meta({ description: 'The Kubernetes user who makes this object.' }),
    role: z.enum(['Approver', 'Witness']).meta({ description: 'In which part the person signs.' }),
    digest: digest.meta({ description: 'status.manifestDigest of the ceremony.' }),
    evidence: digest.optional().meta({ description: 'Witness: status.evidence.head of the ceremony.' }),
    deviations: z
      .string()
      .max(1_024)
      .optional()
      .meta({ description: 'Witness: what did not go as planned; nothing means none.' }),
    signature: signature.meta({ description: 'An armored, detached OpenPGP signature.' }),
  })
  .meta(
    cel(
      { rule: 'self == oldSelf', message: 'What was signed cannot be changed: make another object.' },
      {
        rule: "(self.role == 'Witness') == has(self.evidence)",
        message: 'A witness names the evidence that they sign; an approver does not.',
      },
      {
        rule: "self.role == 'Witness' || !has(self.deviations)",
        message: 'Only a witness reports deviations.',
      },
    ),
  );

/** Its definition. */
export const ceremonyApprovalKind: KindDefinition = {
  type: CEREMONY_APPROVAL,
  singular: 'ceremonyapproval',
  shortNames: ['approval'],
  description: 'The signed consent of an approver to a ceremony, or the signed statement of a witness.',
  spec,
  status: verdictSchema,
  rules: [],
  columns: [
    { name: 'Ceremony', type: 'string', jsonPath: '.spec.ceremonyRef.name' },
    { name: 'Person', type: 'string', jsonPath: '.spec.person' },
    { name: 'Role', type: 'string', jsonPath: '.spec.role' },
    { name: 'Accepted', type: 'boolean', jsonPath: '.status.accepted' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Message', type: 'string', jsonPath: '.status.message', priority: 1 },
  ],
};
