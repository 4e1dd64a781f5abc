import { readFileSync, statSync } from 'node:fs';
import { SealedVaultError } from '../lib/errors.ts';
import { ConfigInvalid, type EngineConfig, type Environment, parseEngineConfig } from './config.ts';
import { holdsPin } from './seal/pkcs11/config.ts';

/** A file that holds a credential and can be read by too many. */
export class ConfigPermissions extends SealedVaultError {
  override readonly code = 'ERR_CONFIG_PERMISSIONS';
}

const OTHERS = 0o007;
const GROUP = 0o070;

/**
 * Reads the configuration file of an engine. A file with a credential in it must be its owner's alone.
 * @throws ERR_CONFIG_INVALID, ERR_HCL_SYNTAX, ERR_CONFIG_PERMISSIONS
 */
export function loadEngineConfig(
  path: string,
  env: Environment,
): { readonly config: EngineConfig; readonly warnings: readonly string[] } {
  let text: string;
  let mode: number;
  try {
    text = readFileSync(path, 'utf8');
    mode = statSync(path).mode;
  } catch (cause) {
    throw new ConfigInvalid('the configuration file cannot be read', {
      cause,
      hint: 'check the path given by -config and its permissions',
    });
  }
  const loaded = parseEngineConfig(text, env);
  const { seal, groupMayRead } = loaded.config;
  if (holdsPin(seal.stanza) && (mode & (groupMayRead ? OTHERS : OTHERS | GROUP)) !== 0) {
    throw new ConfigPermissions('the configuration file holds a credential and others can read it', {
      hint: 'run chmod 600 on it, or take the PIN out of it and set VAULT_HSM_PIN, or write pin = "file:///path" or "env://NAME"',
    });
  }
  return loaded;
}
