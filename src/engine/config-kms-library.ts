import { blocks } from '../lib/hcl/hcl.ts';
import type { HclBody } from '../lib/hcl/tree.ts';
import { ConfigInvalid, named, scalar } from './config-values.ts';

/** A `kms_library "pkcs11"` block: a library that managed keys name. */
export interface KmsLibrary {
  readonly name: string;
  /** Path of the PKCS#11 library. */
  readonly library: string;
  /** Names, with commas, of further variables that the library may see. */
  readonly libraryEnv: string | undefined;
}

/** Reads the `kms_library` blocks (Vault Enterprise: kms_library stanza). @throws ERR_CONFIG_INVALID */
export function parseKmsLibraries(body: HclBody): KmsLibrary[] {
  const found: KmsLibrary[] = [];
  for (const block of blocks(body, 'kms_library')) {
    const { type, body: settings } = named(block, 'kms_library');
    if (type !== 'pkcs11')
      throw new ConfigInvalid('a kms_library is of an unsupported type', {
        hint: 'write kms_library "pkcs11" { name = … library = … }',
      });
    const name = scalar(settings, 'name');
    const library = scalar(settings, 'library');
    if (!name || !library) throw new ConfigInvalid('a kms_library needs name and library');
    if (found.some((other) => other.name === name))
      throw new ConfigInvalid('two kms_library blocks have the same name');
    found.push({ name, library, libraryEnv: scalar(settings, 'library_env') });
  }
  return found;
}
