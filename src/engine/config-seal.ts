import { attribute, blocks, type HclBlock, scalarText } from '../lib/hcl/hcl.ts';
import type { HclBody } from '../lib/hcl/tree.ts';
import { ConfigInvalid, type Environment, flag, named, scalar, variable } from './config-values.ts';

/** One seal block, its values as text. */
export interface SealStanza {
  readonly type: 'pkcs11' | 'shamir' | 'break-glass';
  /** By which variables of the environment name it when there are several; its type unless `name` is given. */
  readonly name: string;
  readonly stanza: Readonly<Record<string, string>>;
}

/** Which seals the vault is to be under, and which one it may still be under. */
export interface SealChoice {
  /** The first to be asked. */
  readonly seal: SealStanza;
  /** More HSMs that can each open everything, in the order of their priority. */
  readonly moreSeals: readonly SealStanza[];
  /** The seal that is `disabled`: the vault migrates away from it. */
  readonly migrateFrom: SealStanza | undefined;
}

const MOST = 3;

/**
 * Reads the seal blocks: none is Shamir; one that is `disabled` is a migration to Shamir, or, beside an enabled one,
 * a migration to that (Vault: Seal migration). Several enabled ones, with `name` and `priority`, can each open everything
 * (Vault: Seal High Availability).
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
  const enabled = inOrder(found.filter(({ disabled }) => !disabled));
  const [target, ...moreSeals] = enabled;
  const [retired, other] = found.filter(({ disabled }) => disabled);
  if (other !== undefined)
    throw new ConfigInvalid('more than one seal is disabled', {
      hint: 'a vault migrates away from one seal: keep that one',
    });
  if (enabled.some((each) => each.type === 'break-glass'))
    throw new ConfigInvalid('the break-glass seal cannot be the seal of a vault', {
      hint: 'give it disabled = "true": the vault migrates away from it, to the other seal block or to Shamir',
    });
  if (retired?.type === 'shamir')
    throw new ConfigInvalid('Shamir seals cannot be set disabled (they should simply not be set)');
  if (target !== undefined && target.name === retired?.name && target.type === retired.type)
    throw new ConfigInvalid('two seals have the same name', {
      hint: 'give each seal block a name of its own, such as name = "old"',
    });
  const said = variable(env, 'seal_type');
  if (said !== undefined && said !== 'pkcs11' && said !== 'shamir')
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
  if (type === 'shamir' && moreSeals.length > 0)
    throw new ConfigInvalid('a Shamir seal cannot be one of several', {
      hint: 'several seals are all seal "pkcs11"',
    });
  return { seal, moreSeals, migrateFrom, entropy: parseEntropy(body, type) };
}

// Of one block, neither name nor priority matters.
function inOrder<S extends SealStanza>(enabled: readonly S[]): readonly S[] {
  if (enabled.length < 2) return enabled;
  if (enabled.some(({ type }) => type === 'shamir'))
    throw new ConfigInvalid('a Shamir seal cannot be one of several', {
      hint: 'give disabled = "true" to the seal to migrate away from',
    });
  const priorities = enabled.map(({ stanza }) => stanza['priority'] ?? '');
  if (new Set(enabled.map(({ name }) => name)).size < enabled.length)
    throw new ConfigInvalid('two seals have the same name', {
      hint: 'give each seal block a name of its own, such as name = "second"',
    });
  if (
    !priorities.every((each) => /^[1-9][0-9]{0,3}$/.test(each)) ||
    new Set(priorities).size < enabled.length
  )
    throw new ConfigInvalid('every one of several seals needs a priority of its own', {
      hint: 'write priority = 1 into the block of the seal to ask first, 2 into the next; or disabled = "true" into the one to migrate away from',
    });
  return enabled.toSorted((a, b) => Number(a.stanza['priority']) - Number(b.stanza['priority']));
}

function isSealType(type: string): type is SealStanza['type'] {
  return type === 'pkcs11' || type === 'shamir' || type === 'break-glass';
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
