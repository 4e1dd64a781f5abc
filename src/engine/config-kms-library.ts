import { blocks } from '../lib/hcl/hcl.ts';
import type { HclBody } from '../lib/hcl/tree.ts';
import { checkKeys, KMS_LIBRARY_KEYS } from './config-keys.ts';
import { ConfigInvalid, named, scalar } from './config-values.ts';

/** A `kms_library "pkcs11"` block: a library that managed keys name. */
export interface KmsLibrary {
  readonly name: string;
  readonly where: KmsLibraryPlace;
}

export type KmsLibraryPlace =
  | {
      readonly kind: 'library';
      /** Path of the PKCS#11 library. */
      readonly library: string;
      /** Names, with commas, of further variables that the library may see. */
      readonly libraryEnv: string | undefined;
    }
  /** An HSM agent that serves managed keys. */
  | { readonly kind: 'agent'; readonly socketPath: string; readonly agentUid: number | undefined };

/** Reads the `kms_library` blocks (Vault Enterprise: kms_library stanza). @throws ERR_CONFIG_INVALID */
export function parseKmsLibraries(body: HclBody, warnings: string[]): KmsLibrary[] {
  const found: KmsLibrary[] = [];
  for (const block of blocks(body, 'kms_library')) {
    const { type, body: settings } = named(block, 'kms_library');
    if (type !== 'pkcs11')
      throw new ConfigInvalid('a kms_library is of an unsupported type', {
        hint: 'write kms_library "pkcs11" { name = … library = … }',
      });
    checkKeys(settings, KMS_LIBRARY_KEYS, 'kms_library.pkcs11.', warnings);
    const name = scalar(settings, 'name');
    if (!name) throw new ConfigInvalid('a kms_library needs a name');
    if (found.some((other) => other.name === name))
      throw new ConfigInvalid('two kms_library blocks have the same name');
    found.push({ name, where: placeOf(settings) });
  }
  return found;
}

function placeOf(settings: HclBody): KmsLibraryPlace {
  const library = scalar(settings, 'library');
  const address = scalar(settings, 'agent_address');
  if (!library === !address)
    throw new ConfigInvalid('a kms_library needs library or agent_address, and not both');
  const lost = library ? 'agent_uid' : 'library_env';
  if (scalar(settings, lost) !== undefined)
    throw new ConfigInvalid(`${lost} of a kms_library has no effect`, {
      hint: 'agent_uid belongs to agent_address, library_env to library',
    });
  if (library) return { kind: 'library', library, libraryEnv: scalar(settings, 'library_env') };
  const socketPath = (address ?? '').replace(/^unix:\/\//, '');
  if (!socketPath.startsWith('/'))
    throw new ConfigInvalid('agent_address of a kms_library must be unix:///absolute/path');
  const uid = scalar(settings, 'agent_uid');
  if (uid !== undefined && !/^\d{1,10}$/.test(uid))
    throw new ConfigInvalid('agent_uid of a kms_library must be the number of a user');
  return { kind: 'agent', socketPath, agentUid: uid === undefined ? undefined : Number(uid) };
}
