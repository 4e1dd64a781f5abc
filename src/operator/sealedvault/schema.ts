import { z } from 'zod';
import { cel, listMap } from '../crd.ts';
import type { HsmSpec, SealedVaultSpec } from './spec.ts';

/** What a person writes into a SealedVault. The API server enforces this very schema (crds/). */

const name = z
  .string()
  .min(1)
  .max(63)
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
const objectName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
const absolute = z
  .string()
  .max(4096)
  .regex(/^\/[^\n]*$/);
const image = z.string().min(1).max(512).regex(/^\S+$/);
const quantity = z
  .string()
  .max(32)
  .regex(/^[0-9]+(\.[0-9]+)?([EPTGMk]i?|Ki|m)?$/);

const secretKey = z.object({
  name: objectName.meta({ description: 'Name of the Secret, in the namespace of this object.' }),
  key: z.string().min(1).max(253).meta({ description: 'Key in the Secret.' }),
});
const fromSecret = z.object({ secretKeyRef: secretKey });

const exactlyOne = (names: readonly string[]): string =>
  `[${names.map((each) => `has(self.${each})`).join(', ')}].filter(given, given).size() == 1`;

const claim = z
  .object({ claimName: objectName })
  .meta({ description: 'A PersistentVolumeClaim in the namespace of this object.' });

const librarySource = z
  .object({
    image: z
      .object({
        reference: image,
        pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
      })
      .optional()
      .meta({ description: 'An image mounted as a volume (Kubernetes 1.33 or later).' }),
    persistentVolumeClaim: claim.optional(),
    initContainer: z
      .object({
        image,
        command: z.array(z.string().max(1024)).min(1).max(32),
      })
      .optional()
      .meta({
        description:
          'A container whose command copies the library to /hsm/library before the HSM agent starts.',
      }),
  })
  .meta({
    description:
      'Where the library comes from; it is mounted at /hsm/library. Without it, it is part of spec.image.',
    ...cel({
      rule: exactlyOne(['image', 'persistentVolumeClaim', 'initContainer']),
      message: 'Exactly one of image, persistentVolumeClaim and initContainer must be given.',
    }),
  });

const library = z.object({
  path: absolute.meta({ description: 'Path of the PKCS#11 library in the container that loads it.' }),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional()
    .meta({ description: 'Digest that the library must have; the pod does not start with another one.' }),
  env: z
    .array(
      z.object({
        name: z
          .string()
          .max(128)
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/),
        value: z.string().max(4096),
      }),
    )
    .max(32)
    .default([])
    .meta({
      description:
        'Environment that the library reads. Never a credential: these values are visible to everybody who may read this object.',
      ...listMap('name'),
      ...cel({
        // Vendors' libraries find their own parts by LD_LIBRARY_PATH.
        rule: "self.all(each, !each.name.matches('^(VAULT|BAO|NODE|LD)_.*$') || each.name == 'LD_LIBRARY_PATH')",
        message:
          'Variables that begin with VAULT_, BAO_, NODE_ or LD_ cannot be set here, but for LD_LIBRARY_PATH.',
      }),
    }),
  from: librarySource.optional(),
});

const volume = z
  .object({
    name,
    mountPath: absolute,
    readOnly: z.boolean().default(false),
    persistentVolumeClaim: claim.optional(),
    secret: z.object({ secretName: objectName }).optional(),
    configMap: z.object({ name: objectName }).optional(),
  })
  .meta(
    cel({
      rule: exactlyOne(['persistentVolumeClaim', 'secret', 'configMap']),
      message: 'Exactly one of persistentVolumeClaim, secret and configMap must be given.',
    }),
  );

const network = z.object({
  cidr: z
    .string()
    .max(64)
    .regex(/^[0-9a-fA-F:.]+\/[0-9]{1,3}$/),
  ports: z.array(z.int().min(1).max(65_535)).max(16).default([]),
});

/** The schema of `spec.hsm`. */
export const hsm: z.ZodType<HsmSpec> = z
  .object({
    name: name.optional().meta({
      description:
        'Tells one HSM from another where the token’s label, serial number and slot do not: an HSM of another name takes a SealMigration.',
    }),
    library,
    slotFrom: fromSecret.optional().meta({ description: 'The slot number, from a Secret.' }),
    tokenLabel: z.string().min(1).max(32).optional().meta({ description: 'Label of the token.' }),
    serial: z.string().min(1).max(16).optional().meta({ description: 'Serial number of the token.' }),
    pinFrom: fromSecret.meta({
      description: 'The PIN, from a Secret. It enters the HSM agent and nothing else.',
    }),
    keyLabel: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .meta({ description: 'Label of the key that wraps the root key.' }),
    keyId: z
      .string()
      .max(128)
      .regex(/^(0x)?([0-9a-fA-F]{2})+$/)
      .optional()
      .meta({ description: 'CKA_ID of that key, in hex.' }),
    mechanism: z
      .enum(['CKM_AES_GCM', 'CKM_RSA_PKCS_OAEP'])
      .optional()
      .meta({ description: 'Default: by the type of the key.' }),
    rsaOaepHash: z.enum(['sha1', 'sha224', 'sha256', 'sha384', 'sha512']).optional(),
    generateKey: z
      .boolean()
      .default(false)
      .meta({ description: 'Make the key on the HSM when it is not there.' }),
    placement: z.enum(['Sidecar', 'Engine']).default('Sidecar').meta({
      description: 'Where the library, slot and PIN are: in a container of their own, or in the engine’s.',
    }),
    managedKeys: z.boolean().optional().meta({
      description:
        'Whether PKI and transit may use keys of this HSM (managed keys), by the kms_library of the name hsm.',
    }),
    volumes: z
      .array(volume)
      .max(16)
      .default([])
      .meta({
        description: 'Further volumes of the container that loads the library, and of no other.',
        ...listMap('name'),
      }),
    network: z.array(network).max(32).default([]).meta({
      description: 'Addresses of HSMs on the network. Connections of the pod to others are denied.',
    }),
  })
  .meta(
    cel(
      {
        rule: exactlyOne(['slotFrom', 'tokenLabel', 'serial']),
        message: 'Exactly one of slotFrom, tokenLabel and serial must be given.',
      },
      { rule: 'has(self.keyLabel) || has(self.keyId)', message: 'keyLabel or keyId must be given.' },
      {
        rule: "!has(self.rsaOaepHash) || !has(self.mechanism) || self.mechanism == 'CKM_RSA_PKCS_OAEP'",
        message: 'rsaOaepHash has no meaning with the mechanism CKM_AES_GCM.',
      },
    ),
  );

const audit = z
  .object({
    stdout: z.object({}).optional(),
    file: z
      .object({
        path: z
          .string()
          .max(1024)
          .regex(/^\/vault\/[^\n]+$/)
          .meta({ description: 'Below /vault, the volume of the vault, and not in the folder of its data.' }),
      })
      .meta(
        cel({
          rule: "!self.path.startsWith('/vault/data/') && !self.path.contains('/../')",
          message: 'The file of an audit device must not be in /vault/data, where the data of the vault is.',
        }),
      )
      .optional(),
  })
  .meta(
    cel({ rule: exactlyOne(['stdout', 'file']), message: 'Exactly one of stdout and file must be given.' }),
  );

const quantities = z.record(z.string().max(63), quantity).optional();

/** The schema of `spec`. */
export const sealedVaultSpec: z.ZodType<SealedVaultSpec> = z
  .object({
    replicas: z
      .int()
      .min(0)
      .max(1000)
      .default(1)
      .meta({ description: 'Pods. 0 stops the vault and keeps its data.' }),
    image: image.optional().meta({ description: 'Default: the image of the operator.' }),
    resources: z
      .object({ requests: quantities, limits: quantities })
      .optional()
      .meta({ description: 'Resources of the engine’s container.' }),
    hsm,
    storage: z
      .object({
        lmdb: z.object({
          size: quantity.meta({ description: 'Size of the volume.' }),
          storageClassName: objectName.optional(),
        }),
      })
      .meta(cel({ rule: 'self == oldSelf', message: 'The storage of a vault cannot be changed.' })),
    audit: z
      .array(audit)
      .max(8)
      .default([{ stdout: {} }])
      .meta({ description: 'Audit devices. A request that none of them can log is refused.' }),
    tls: z.object({ secretName: objectName }).optional().meta({
      description:
        'A Secret with tls.crt, tls.key and ca.crt that serves instead of the operator’s own certificate.',
    }),
    deletionPolicy: z
      .enum(['Retain', 'Delete'])
      .default('Retain')
      .meta({ description: 'What becomes of the volumes when this object is deleted.' }),
    recovery: z
      .object({
        custodians: z.array(z.string().min(1).max(63)).min(1).max(32).optional().meta({
          description: 'Who should have a recovery share. When others do, a RotateRecovery is proposed.',
        }),
      })
      .optional(),
    ceremonyPage: z.boolean().default(true).meta({
      description:
        'Whether the pods serve the ceremony page at /ui/ceremony/, where custodians give and prove shares.',
    }),
    logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
    nodeSelector: z.record(z.string().max(317), z.string().max(63)).optional(),
    tolerations: z
      .array(
        z.object({
          key: z.string().max(317).optional(),
          operator: z.enum(['Exists', 'Equal']).optional(),
          value: z.string().max(63).optional(),
          effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
          tolerationSeconds: z.int().optional(),
        }),
      )
      .max(32)
      .optional(),
  })
  .meta(
    cel({
      rule: '!has(self.storage.lmdb) || self.replicas <= 1',
      message: 'A vault with lmdb storage runs in one pod: replicas must be 0 or 1.',
    }),
  );
