import { z } from 'zod';
import { cel } from '../../crd.ts';
import type { PersonSpec } from '../spec.ts';

/** The name of a person in a ceremony. */
export const personName: z.ZodString = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);

/** The name of a Kubernetes user. */
export const userName: z.ZodString = z.string().min(1).max(253);

const keyRef = z.object({
  name: z
    .string()
    .min(1)
    .max(253)
    .meta({ description: 'Name of the object, in the namespace of the ceremony.' }),
  key: z.string().min(1).max(253).meta({ description: 'Key in the object.' }),
});

const publicKeyFrom = z
  .object({
    configMapKeyRef: keyRef.optional().meta({ description: 'A key of data or binaryData of a ConfigMap.' }),
    secretKeyRef: keyRef.optional().meta({ description: 'A key of a Secret.' }),
  })
  .meta({
    description: 'Where the OpenPGP public key is: armored, or binary.',
    ...cel({
      rule: 'has(self.configMapKeyRef) != has(self.secretKeyRef)',
      message: 'Exactly one of configMapKeyRef and secretKeyRef must be given.',
    }),
  });

/** Somebody with an OpenPGP key. */
export const person: z.ZodType<PersonSpec> = z
  .object({
    name: personName.meta({ description: 'Becomes part of the name of the Secret that holds a share.' }),
    publicKey: z
      .string()
      .min(1)
      .max(65_536)
      .optional()
      .meta({ description: 'An OpenPGP public key: armored, or base64 of the binary one.' }),
    publicKeyFrom: publicKeyFrom.optional(),
    username: userName
      .optional()
      .meta({ description: 'The Kubernetes user who alone may speak for this person.' }),
    group: personName
      .optional()
      .meta({ description: 'A team or manager: the custodians of one never reach the threshold alone.' }),
  })
  .meta(
    cel({
      rule: 'has(self.publicKey) != has(self.publicKeyFrom)',
      message: 'Exactly one of publicKey and publicKeyFrom must be given.',
    }),
  );
