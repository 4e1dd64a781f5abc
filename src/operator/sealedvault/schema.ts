import { z } from 'zod';
import { cel, listMap, quantity } from '../crd.ts';
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

const secretKey = z.object({
  name: objectName.meta({ description: 'Name of the Secret, in the namespace of this object.' }),
  key: z.string().min(1).max(253).meta({ description: 'Key in the Secret.' }),
});
const fromSecret = z.object({
  secretKeyRef: secretKey.meta({ description: 'A key of a Secret. One line break at its end is dropped.' }),
});

const exactlyOne = (names: readonly string[]): string =>
  `[${names.map((each) => `has(self.${each})`).join(', ')}].filter(given, given).size() == 1`;

const claim = z
  .object({ claimName: objectName.meta({ description: 'Name of the claim.' }) })
  .meta({ description: 'A PersistentVolumeClaim in the namespace of this object.' });

const librarySource = z
  .object({
    image: z
      .object({
        reference: image.meta({ description: 'Name of the image, with its tag or digest.' }),
        pullPolicy: z
          .enum(['Always', 'IfNotPresent', 'Never'])
          .default('IfNotPresent')
          .meta({ description: 'When the image is pulled.' }),
      })
      .optional()
      .meta({ description: 'An image mounted as a volume (Kubernetes 1.33 or later).' }),
    persistentVolumeClaim: claim.optional(),
    initContainer: z
      .object({
        image: image.meta({ description: 'Image of the container.' }),
        command: z
          .array(z.string().max(1024))
          .min(1)
          .max(32)
          .meta({ description: 'Program and arguments; no shell.' }),
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
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
          .meta({ description: 'Name of the variable.' }),
        value: z.string().max(4096).meta({ description: 'Its value.' }),
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
    name: name.meta({ description: 'Name of the volume in the pod.' }),
    mountPath: absolute.meta({ description: 'Where it is mounted.' }),
    readOnly: z.boolean().default(false).meta({ description: 'Whether nothing can be written to it.' }),
    persistentVolumeClaim: claim.optional(),
    secret: z
      .object({ secretName: objectName.meta({ description: 'Name of the Secret.' }) })
      .optional()
      .meta({ description: 'A Secret in the namespace of this object, one file for each key.' }),
    configMap: z
      .object({ name: objectName.meta({ description: 'Name of the ConfigMap.' }) })
      .optional()
      .meta({ description: 'A ConfigMap in the namespace of this object, one file for each key.' }),
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
    .regex(/^[0-9a-fA-F:.]+\/[0-9]{1,3}$/)
    .meta({ description: 'Addresses, such as 10.0.0.7/32.' }),
  ports: z
    .array(z.int().min(1).max(65_535))
    .max(16)
    .default([])
    .meta({ description: 'TCP ports; without any, all.' }),
});

/** The schema of `spec.hsm`. */
export const hsm: z.ZodType<HsmSpec> = z
  .object({
    name: name.optional().meta({
      description:
        'Tells one HSM from another where the token’s label, serial number and slot do not: an HSM of another name takes a SealMigration.',
    }),
    library: library.meta({ description: 'The PKCS#11 library of the HSM.' }),
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
    rsaOaepHash: z
      .enum(['sha1', 'sha224', 'sha256', 'sha384', 'sha512'])
      .optional()
      .meta({ description: 'Hash of CKM_RSA_PKCS_OAEP; without it, sha256.' }),
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
  .meta({
    description: 'The HSM whose key seals the vault.',
    ...cel(
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
  });

const audit = z
  .object({
    stdout: z.object({}).optional().meta({ description: 'Standard output of the engine’s container.' }),
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
      .optional()
      .meta({ description: 'A file on the volume of the vault.' }),
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
      .object({
        requests: quantities.meta({ description: 'What is reserved, such as cpu: 1 and memory: 1Gi.' }),
        limits: quantities.meta({ description: 'What cannot be exceeded.' }),
      })
      .optional()
      .meta({ description: 'Resources of the engine’s container.' }),
    hsm,
    storage: z
      .object({
        lmdb: z
          .object({
            size: quantity.meta({ description: 'Size of the volume, such as 10Gi.' }),
            storageClassName: objectName
              .optional()
              .meta({ description: 'Class of the volume; without it, the default one of the cluster.' }),
          })
          .meta({
            description: 'LMDB on a volume of its own.',
            ...cel({
              rule: "quantity(string(self.size)).isGreaterThan(quantity('0'))",
              message: 'The size of a volume is more than 0.',
            }),
          }),
      })
      .meta({
        description: 'Where the vault keeps its encrypted data.',
        ...cel({ rule: 'self == oldSelf', message: 'The storage of a vault cannot be changed.' }),
      }),
    audit: z
      .array(audit)
      .max(8)
      .default([{ stdout: {} }])
      .meta({ description: 'Audit devices. A request that none of them can log is refused.' }),
    tls: z
      .object({ secretName: objectName.meta({ description: 'Name of the Secret.' }) })
      .optional()
      .meta({
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
      .optional()
      .meta({ description: 'How the recovery key should be kept.' }),
    ceremonyPage: z.boolean().default(true).meta({
      description:
        'Whether the pods serve the ceremony page at /ui/ceremony/, where custodians give and prove shares.',
    }),
    logLevel: z
      .enum(['trace', 'debug', 'info', 'warn', 'error'])
      .default('info')
      .meta({ description: 'The least severity that engine and HSM agent log.' }),
    nodeSelector: z
      .record(z.string().max(317), z.string().max(63))
      .optional()
      .meta({ description: 'Labels of the nodes on which the pods may run.' }),
    tolerations: z
      .array(
        z.object({
          key: z.string().max(317).optional().meta({ description: 'Key of the taint; without it, all.' }),
          operator: z
            .enum(['Exists', 'Equal'])
            .optional()
            .meta({ description: 'Whether the value of the taint counts; without it, Equal.' }),
          value: z.string().max(63).optional().meta({ description: 'Value of the taint, for Equal.' }),
          effect: z
            .enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute'])
            .optional()
            .meta({ description: 'Effect of the taint; without it, all.' }),
          tolerationSeconds: z
            .int()
            .optional()
            .meta({ description: 'How long a taint of NoExecute is tolerated; without it, for ever.' }),
        }),
      )
      .max(32)
      .optional()
      .meta({ description: 'Taints of nodes that the pods tolerate.' }),
  })
  .meta(
    cel({
      rule: '!has(self.storage.lmdb) || self.replicas <= 1',
      message: 'A vault with lmdb storage runs in one pod: replicas must be 0 or 1.',
    }),
  );
