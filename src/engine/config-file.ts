import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
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
 * Reads the configuration of an engine: one file, several, or folders of `.hcl` and `.json` files; of a setting that
 * stands in more than one, the last counts. A file with a credential in it must be its owner's alone.
 * @param before a text that is read before the files
 * @param flags what the command line says instead, by the names of the keys
 * @throws ERR_CONFIG_INVALID, ERR_HCL_SYNTAX, ERR_CONFIG_PERMISSIONS
 */
export function loadEngineConfig(
  paths: string | readonly string[],
  env: Environment,
  before?: string,
  flags: Readonly<Record<string, string>> = {},
): { readonly config: EngineConfig; readonly warnings: readonly string[] } {
  const read = readConfigFiles(typeof paths === 'string' ? [paths] : paths);
  const texts = read.map(({ text }) => text);
  const loaded = parseEngineConfig(before === undefined ? texts : [before, ...texts], env, flags);
  const { seal, moreSeals, migrateFrom, groupMayRead } = loaded.config;
  const tooOpen = groupMayRead ? OTHERS : OTHERS | GROUP;
  const seals = [seal, ...moreSeals, ...(migrateFrom === undefined ? [] : [migrateFrom])];
  const pinInFile = seals.some(({ stanza }) => holdsPin(stanza));
  if (pinInFile && read.some(({ mode }) => (mode & tooOpen) !== 0)) {
    throw new ConfigPermissions('the configuration file holds a credential and others can read it', {
      hint: 'run chmod 600 on it, or take the PIN out of it and set VAULT_HSM_PIN, or write pin = "file:///path" or "env://NAME"',
    });
  }
  return loaded;
}

/** The texts and modes of files, and of what is in folders. @throws ERR_CONFIG_INVALID */
export function readConfigFiles(
  paths: readonly string[],
): { readonly text: string; readonly mode: number }[] {
  return paths
    .flatMap(filesAt)
    .map((file) => attempt(() => ({ text: readFileSync(file, 'utf8'), mode: statSync(file).mode })));
}

function filesAt(path: string): string[] {
  return attempt(() => {
    if (!statSync(path).isDirectory()) return [path];
    const found = readdirSync(path).filter((name) => /\.(?:hcl|json)$/.test(name));
    if (found.length === 0) throw new TypeError('no file in this folder ends in .hcl or .json');
    return found.toSorted().map((name) => join(path, name));
  });
}

function attempt<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new ConfigInvalid('the configuration file cannot be read', {
      cause,
      hint: 'check the path given by -config and its permissions',
    });
  }
}
