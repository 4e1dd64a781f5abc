import { attribute, blocks, type HclBlock, scalarText } from '../lib/hcl/hcl.ts';
import type { HclBody } from '../lib/hcl/tree.ts';
import { ConfigInvalid, type Environment, flag, named, scalar, variable } from './config-values.ts';

/** One seal block, its values as text. */
export interface SealStanza {
  readonly type: 'pkcs11' | 'shamir';
  /** By which variables of the environment name it when there are several; its type unless `name` is given. */
  readonly name: string;
  readonly stanza: Readonly<Record<string, string>>;
}

/** Which seal the vault is to be under, and which one it may still be under. */
export interface SealChoice {
  readonly seal: SealStanza;
  /** The seal that is `disabled`: the vault migrates away from it. */
  readonly migrateFrom: SealStanza | undefined;
}

const MOST = 3;

/**
 * Reads the seal blocks: none is Shamir; one that is `disabled` is a migration to Shamir, or, beside an enabled one,
 * a migration to that (Vault: Seal migration).
 * @throws ERR_CONFIG_INVALID
 */
export function parseSeals(
  body: HclBody,
  env: Environment,
  warnings: string[],
): SealChoice & { readonly entropy: boolean } {
  const found = blocks(body, 'seal').map(parseBlock);
  if (found.length > MOST)
    throw new ConfigInvalid('more than three seals are configured', { hint: 'keep the one in use' });
  const [target, second] = found.filter(({ disabled }) => !disabled);
  const [retired, other] = found.filter(({ disabled }) => disabled);
  if (second !== undefined)
    throw new ConfigInvalid('more than one seal is enabled', {
      hint: 'keep one seal block, and give disabled = "true" to the one to migrate away from',
    });
  if (other !== undefined)
    throw new ConfigInvalid('more than one seal is disabled', {
      hint: 'a vault migrates away from one seal: keep that one',
    });
  if (retired?.type === 'shamir')
    throw new ConfigInvalid('Shamir seals cannot be set disabled (they should simply not be set)');
  if (target !== undefined && target.name === retired?.name && target.type === retired.type)
    throw new ConfigInvalid('two seals have the same name', {
      hint: 'give each seal block a name of its own, such as name = "old"',
    });
  const said = variable(env, 'seal_type');
  if (said !== undefined && !isSealType(said))
    throw new ConfigInvalid('the seal is of an unsupported type', {
      hint: 'VAULT_SEAL_TYPE may be pkcs11 or shamir',
    });
  const configured = target?.type ?? 'shamir';
  if (said !== undefined && retired !== undefined && said !== configured)
    throw new ConfigInvalid('VAULT_SEAL_TYPE contradicts the seal blocks of a migration', {
      hint: `the blocks say that the vault migrates to ${configured}: take VAULT_SEAL_TYPE out of the environment`,
    });
  if (said !== undefined && target !== undefined && said !== configured)
    warnings.push(
      `VAULT_SEAL_TYPE is set, so the seal is ${said} and the block seal "${configured}" has no effect`,
    );
  const type = said ?? configured;
  const seal = { type, name: target?.name ?? type, stanza: target?.stanza ?? Object.create(null) };
  const migrateFrom =
    retired === undefined ? undefined : { type: retired.type, name: retired.name, stanza: retired.stanza };
  return { seal, migrateFrom, entropy: parseEntropy(body, type) };
}

function isSealType(type: string): type is SealStanza['type'] {
  return type === 'pkcs11' || type === 'shamir';
}

function parseBlock(block: HclBlock): SealStanza & { readonly disabled: boolean } {
  const { type, body } = named(block, 'seal');
  if (!isSealType(type))
    throw new ConfigInvalid('the seal is of an unsupported type', {
      hint: 'write seal "pkcs11" { … }, or none for unseal key shares',
    });
  const stanza: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const item of body.items) {
    const [name] = item.keys;
    const value = scalarText(item.value);
    if (name === undefined || value === undefined)
      throw new ConfigInvalid('a key of the seal block is not plain text, a number or a bool');
    stanza[name] = value;
  }
  // Two blocks without names are told apart by what becomes of them.
  const disabled = flag('disabled', stanza['disabled']);
  return { type, name: stanza['name'] || (disabled ? `${type}_disabled` : type), stanza, disabled };
}

// `entropy "seal" { mode = "augmentation" }`: randomness of the HSM goes into keys that matter most.
function parseEntropy(body: HclBody, type: SealStanza['type']): boolean {
  const [block, second] = blocks(body, 'entropy');
  if (block === undefined) {
    if (attribute(body, 'entropy') === undefined) return false;
    throw new ConfigInvalid('entropy must be a block', {
      hint: 'write entropy "seal" { mode = "augmentation" }',
    });
  }
  const { type: source, body: settings } = named(block, 'entropy');
  if (second !== undefined || source !== 'seal' || scalar(settings, 'mode') !== 'augmentation')
    throw new ConfigInvalid('the entropy block is not supported', {
      hint: 'write one entropy "seal" { mode = "augmentation" }',
    });
  if (type === 'shamir')
    throw new ConfigInvalid('entropy augmentation needs an HSM', {
      hint: 'configure seal "pkcs11", or leave the entropy block out',
    });
  return true;
}
