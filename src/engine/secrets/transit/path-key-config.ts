import { type Path, path } from '../../logical/logical.ts';
import { badRequest } from '../../logical/response.ts';
import { managedKeyFields, nameField } from './fields.ts';
import { chosenKey, type ManagedKeyChoice, withManagedKey } from './managed.ts';
import { checkRotatePeriod } from './path-keys.ts';
import { type KeyPolicy, rotated } from './policy.ts';
import { Refused, softDeleted } from './refused.ts';
import { describeKey } from './render.ts';
import type { KeyStore } from './store.ts';

const configFields = {
  min_decryption_version: {
    type: 'int',
    description:
      'If set, the minimum version of the key allowed to be decrypted. For signing keys, the minimum version allowed to be used for verification.',
  },
  min_encryption_version: {
    type: 'int',
    description:
      'If set, the minimum version of the key allowed to be used for encryption; or for signing keys, to be used for signing. If set to zero, only the latest version of the key is allowed.',
  },
  deletion_allowed: { type: 'bool', description: 'Whether to allow deletion of the key' },
  exportable: { type: 'bool', description: 'Enables export of the key. Once set, this cannot be disabled.' },
  allow_plaintext_backup: {
    type: 'bool',
    description:
      'Enables taking a backup of the named key in plaintext format. Once set, this cannot be disabled.',
  },
  auto_rotate_period: {
    type: 'duration',
    description:
      'Amount of time the key should live before being automatically rotated. 0 disables rotation.',
  },
} as const;

/** keys/:name/config, rotate and trim: which versions there are, and which may be used. */
export function keyConfigPaths(store: KeyStore): Path[] {
  return [
    path({
      pattern: 'keys/:name/config',
      synopsis: 'Configure a named encryption key',
      fields: { name: nameField, ...configFields },
      operations: {
        update: {
          summary: 'Configure a key.',
          handler: async (_request, fields) => {
            const warnings =
              fields.min_decryption_version === 0
                ? ['since Vault 0.3, transit key numbering starts at 1; forcing minimum to 1']
                : [];
            const saved = await store.change(fields.name, (policy) =>
              policy === undefined
                ? new Refused(`no existing key named ${fields.name} could be found`)
                : configured(policy, fields),
            );
            return describeKey(saved, warnings);
          },
        },
      },
    }),
    path({
      pattern: 'keys/:name/rotate',
      synopsis: 'Rotate named encryption key',
      fields: { name: nameField, ...managedKeyFields },
      operations: {
        update: {
          summary: 'Add a version of fresh material.',
          handler: async (_request, { name, ...choice }) =>
            describeKey(
              await store.change(name, (policy) =>
                policy === undefined
                  ? new Refused('key not found')
                  : policy.type === 'managed_key'
                    ? rotatedManaged(store, policy, choice)
                    : rotated(policy, store.keyRandom, store.now()),
              ),
            ),
        },
      },
    }),
    path({
      pattern: 'keys/:name/trim',
      synopsis: 'Trim key versions of a named key',
      fields: {
        name: nameField,
        min_available_version: {
          type: 'int',
          description:
            'The minimum available version for the key ring. All versions before this version will be permanently deleted.',
        },
      },
      operations: {
        update: {
          summary: 'Delete old versions for ever.',
          handler: async (_request, { name, min_available_version: version }) => {
            if (version === undefined) return badRequest('missing min_available_version');
            return describeKey(
              await store.change(name, (policy) =>
                policy === undefined ? new Refused('invalid key name') : trimmed(policy, version),
              ),
            );
          },
        },
      },
    }),
  ];
}

interface Configuration {
  readonly min_decryption_version: number | undefined;
  readonly min_encryption_version: number | undefined;
  readonly deletion_allowed: boolean | undefined;
  readonly exportable: boolean | undefined;
  readonly allow_plaintext_backup: boolean | undefined;
  readonly auto_rotate_period: number | undefined;
}

async function rotatedManaged(
  store: KeyStore,
  policy: KeyPolicy,
  choice: ManagedKeyChoice,
): Promise<KeyPolicy | Refused> {
  if (policy.softDeleted) return softDeleted;
  const key = await chosenKey(store.openManagedKey, choice);
  return key instanceof Refused ? key : withManagedKey(policy, key, store.random, store.now());
}

function configured(policy: KeyPolicy, fields: Configuration): KeyPolicy | Refused {
  if (
    policy.type === 'managed_key' &&
    (fields.exportable === true ||
      fields.allow_plaintext_backup === true ||
      (fields.auto_rotate_period ?? 0) !== 0)
  )
    return new Refused(
      'exportable, allow_plaintext_backup and auto_rotate_period are not valid for keys of type managed_key',
    );
  const minDecryptionVersion = fields.min_decryption_version ?? policy.minDecryptionVersion;
  const minEncryptionVersion = fields.min_encryption_version ?? policy.minEncryptionVersion;
  const refused =
    checkMinimum('decryption', minDecryptionVersion, policy) ??
    checkMinimum('encryption', minEncryptionVersion, policy);
  if (refused !== undefined) return refused;
  const decryption = Math.max(minDecryptionVersion, 1);
  if (minEncryptionVersion > 0 && minEncryptionVersion < decryption)
    return new Refused(
      `cannot set min encryption/decryption values; min encryption version of ${minEncryptionVersion} must be greater than or equal to min decryption version of ${decryption}`,
    );
  const autoRotatePeriod = fields.auto_rotate_period ?? policy.autoRotatePeriod;
  const period = checkRotatePeriod(autoRotatePeriod);
  if (period !== undefined) return new Refused(period);
  if (policy.minAvailableVersion > minEncryptionVersion)
    return new Refused('min encryption version should not be less than min available version');
  if (policy.minAvailableVersion > decryption)
    return new Refused('min decryption version should not be less then min available version');
  return {
    ...policy,
    minDecryptionVersion: decryption,
    minEncryptionVersion,
    autoRotatePeriod,
    deletionAllowed: fields.deletion_allowed ?? policy.deletionAllowed,
    exportable: policy.exportable || fields.exportable === true,
    allowPlaintextBackup: policy.allowPlaintextBackup || fields.allow_plaintext_backup === true,
  };
}

function checkMinimum(what: string, version: number, policy: KeyPolicy): Refused | undefined {
  if (version < 0) return new Refused(`min ${what} version cannot be negative`);
  return version > policy.latestVersion
    ? new Refused(
        `cannot set min ${what} version of ${version}, latest key version is ${policy.latestVersion}`,
      )
    : undefined;
}

function trimmed(policy: KeyPolicy, version: number): KeyPolicy | Refused {
  const problem = (): string | undefined => {
    if (version < 0) return 'cannot be negative';
    if (version < policy.minAvailableVersion) return 'cannot be decremented';
    if (policy.minEncryptionVersion === 0) return 'cannot be set when minimum encryption version is not set';
    if (version > policy.minEncryptionVersion) return 'cannot be greater than minmum encryption version';
    if (version > policy.minDecryptionVersion) return 'cannot be greater than minimum decryption version';
    return version === 0 ? 'should be positive' : undefined;
  };
  const refused = problem();
  return refused === undefined
    ? { ...policy, minAvailableVersion: version }
    : new Refused(`minimum available version ${refused}`);
}
