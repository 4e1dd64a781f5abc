import { dirname, resolve } from 'node:path';
import { blocks, type HclBlock, scalarText } from '../lib/hcl/hcl.ts';
import type { HclBody } from '../lib/hcl/tree.ts';
import { ConfigInvalid, flag, named, scalar } from './config-values.ts';

export interface AuditConfig {
  readonly type: 'file' | 'stdout' | 'socket' | 'syslog';
  /** The device's name in the API, ending in a slash. */
  readonly path: string;
  readonly options: Readonly<Record<string, string>>;
  readonly description?: string;
  readonly local?: boolean;
}

/** What the API may do about audit devices. */
export interface AuditRulesConfig {
  /** The folder of its files; undefined for none. */
  readonly directory: string | undefined;
  readonly apiCreation: boolean;
  readonly prefixing: boolean;
}

/** @param storage the folder of the storage; undefined for memory */
export function parseAuditRules(body: HclBody, storage: string | undefined): AuditRulesConfig {
  const allowed = (name: string): boolean => flag(name, scalar(body, name) ?? 'true');
  return {
    directory: scalar(body, 'audit_directory') ?? beside(storage),
    apiCreation: allowed('unsafe_allow_api_audit_creation'),
    prefixing: allowed('allow_audit_log_prefixing'),
  };
}

// The folder that the storage's is in, unless that is the root of everything.
function beside(storage: string | undefined): string | undefined {
  if (storage === undefined) return undefined;
  const folder = dirname(resolve(storage));
  return folder === dirname(folder) ? undefined : folder;
}

export function parseAudit(block: HclBlock): AuditConfig {
  const { type, label, body } = named(block, 'audit');
  if (type !== 'file' && type !== 'stdout' && type !== 'socket' && type !== 'syslog')
    throw new ConfigInvalid('an audit device is of an unsupported type', {
      hint: 'use file, stdout, socket or syslog',
    });
  const options: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const source of [body, ...blocks(body, 'options').map((each) => each.body)]) {
    for (const item of source.items) {
      const value = scalarText(item.value);
      if (item.keys[0] !== undefined && value !== undefined) options[item.keys[0]] = value;
    }
  }
  if (type === 'file' && options['file_path'] === undefined && options['path'] === undefined) {
    throw new ConfigInvalid('an audit device of type file has no file_path');
  }
  const { description, local, ...rest } = options;
  return {
    type,
    path: `${label ?? type}/`,
    options: rest,
    ...(description === undefined ? {} : { description }),
    ...(local === undefined ? {} : { local: flag('local', local) }),
  };
}
