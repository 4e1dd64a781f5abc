import { LOST } from '../../../ceremony/statement.ts';
import { z } from 'zod';
import { cel, type KindDefinition } from '../../crd.ts';
import type { KubeObject, ResourceType } from '../../runtime/runtime.ts';
import { digest, signature } from '../approvals/kind.ts';
import { personName, userName } from '../people/schema.ts';
import { type Verdict, verdictSchema } from '../verdict.ts';

/** The kind as the API knows it. */
export const SHARE_RECEIPT: ResourceType = {
  apiVersion: 'sealedvault.io/v1alpha1',
  kind: 'ShareReceipt',
  plural: 'sharereceipts',
};

export interface ShareReceiptSpec {
  readonly ceremonyRef: { readonly name: string };
  readonly custodian: string;
  readonly username?: string | undefined;
  readonly digest: string;
  readonly sha256?: string | undefined;
  readonly storage?: string | undefined;
  /** An answer to the test message of the ceremony, before there are shares. */
  readonly keyTest?: { readonly answer: string } | undefined;
  readonly signature?: string | undefined;
  readonly proof?: string | undefined;
}

export interface ShareReceipt extends KubeObject {
  readonly spec: ShareReceiptSpec;
  readonly status?: Verdict;
}

const spec: z.ZodType<ShareReceiptSpec> = z
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
    custodian: personName.meta({ description: 'As the ceremony, or the vault, names them.' }),
    username: userName.optional().meta({ description: 'The Kubernetes user who makes this object.' }),
    digest: digest.meta({ description: 'status.manifestDigest of the ceremony.' }),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .optional()
      .meta({ description: 'Of the binary OpenPGP message that came.' }),
    storage: z
      .string()
      .max(256)
      .optional()
      .meta({ description: `How the share is kept, such as a bag’s number; ${LOST} reports a loss.` }),
    keyTest: z
      .object({
        answer: z
          .string()
          .regex(/^[0-9a-f]{64}$/)
          .meta({ description: 'SHA-256 of the decrypted text, in hex.' }),
      })
      .optional()
      .meta({ description: 'The answer to the test message, before there are shares.' }),
    signature: signature
      .optional()
      .meta({ description: 'An armored, detached OpenPGP signature over the receipt or answer.' }),
    proof: z
      .string()
      .max(128)
      .optional()
      .meta({ description: 'Base64 of the proof of having the share; it shows nothing of it.' }),
  })
  .meta(
    cel(
      { rule: 'self == oldSelf', message: 'What was signed cannot be changed: make another object.' },
      {
        rule: 'has(self.signature) || has(self.proof)',
        message: 'A receipt has a signature, a proof, or both.',
      },
      {
        rule: '!has(self.keyTest) || (has(self.signature) && !has(self.proof) && !has(self.storage) && !has(self.sha256))',
        message: 'An answer to a test message has a signature, and says nothing of a share.',
      },
    ),
  );

/** Its definition. */
export const shareReceiptKind: KindDefinition = {
  type: SHARE_RECEIPT,
  singular: 'sharereceipt',
  shortNames: ['receipt'],
  description:
    'What a custodian says of a share: that it came, how it is kept, a proof of having it, or its loss; or, before there are shares, the answer to a test message.',
  spec,
  status: verdictSchema,
  rules: [],
  columns: [
    { name: 'Ceremony', type: 'string', jsonPath: '.spec.ceremonyRef.name' },
    { name: 'Custodian', type: 'string', jsonPath: '.spec.custodian' },
    { name: 'Storage', type: 'string', jsonPath: '.spec.storage' },
    { name: 'Accepted', type: 'boolean', jsonPath: '.status.accepted' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'Message', type: 'string', jsonPath: '.status.message', priority: 1 },
  ],
};
