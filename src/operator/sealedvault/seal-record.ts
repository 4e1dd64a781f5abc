import { canonicalJson } from '../../ceremony/canonical.ts';
import type { Json } from '../../lib/json.ts';
import type { ReconcileContext } from '../runtime/runtime.ts';
import type { SealedVault } from './kind.ts';
import { ownedMeta, SEAL_LABEL } from './names.ts';
import type { ConfigMap } from './resources/config.ts';
import { hsm } from './schema.ts';
import type { HsmSpec } from './spec.ts';
import { CONFIG_MAP } from './types.ts';

/**
 * Under which HSM a vault is, whatever its specification wishes: kept in the ConfigMap `<vault>-seal`, and nothing secret.
 *
 * S1  A vault that has a root key is brought to another HSM by a ceremony, and by nothing else. What does not say which
 *     token it is (library, PIN, key label, network, …) follows the specification at once.
 * S2  The record changes only from what was read of it: of two changes at a time one is tried again.
 * S3  Pods know both HSMs for as long as the ceremony that asked for it goes on.
 */
export interface SealRecord {
  readonly inForce: HsmSpec;
  readonly next?: NextSeal | undefined;
}

/** The HSM that a ceremony moves a vault to. */
export interface NextSeal {
  readonly hsm: HsmSpec;
  /** Uid of the ceremony. */
  readonly ceremony: string;
}

interface Found {
  readonly record: SealRecord;
  readonly version: string | undefined;
}

/** Whether two specifications say the same token: then one of them takes the place of the other without a ceremony. */
export function isSameToken(a: HsmSpec, b: HsmSpec): boolean {
  const token = ({ name, tokenLabel, serial, slotFrom }: HsmSpec): object => ({
    name,
    tokenLabel,
    serial,
    slotFrom,
  });
  return same(token(a), token(b));
}

/**
 * Brings the record to what the specification and the ceremonies of today say, and returns it.
 * @param goesOn whether the ceremony of a uid is there and not over
 */
export async function keepSealRecord(
  vault: SealedVault,
  context: ReconcileContext,
  goesOn: (ceremony: string) => boolean,
): Promise<SealRecord> {
  const { cache, api, signal } = context;
  const key = recordKey(vault);
  const found = parse(vault, cache.get<ConfigMap>(CONFIG_MAP, key));
  if (found === undefined) {
    const fresh: SealRecord = { inForce: vault.spec.hsm };
    if ((await api.create(CONFIG_MAP, recordObject(vault, fresh), signal)) !== undefined) return fresh;
    // The cache had not seen it; what cannot be read is written anew.
    const live = await api.get<ConfigMap>(CONFIG_MAP, key, signal);
    const known = parse(vault, live);
    if (known !== undefined) return known.record;
    await write(vault, fresh, live?.metadata.resourceVersion, context);
    return fresh;
  }
  const { next } = found.record;
  const record = recordOf(vault, found.record, next !== undefined && goesOn(next.ceremony));
  if (!same(record, found.record)) await write(vault, record, found.version, context);
  return record;
}

/** @returns the record as it should be; pure */
export function recordOf({ spec, status }: SealedVault, before: SealRecord, goesOn: boolean): SealRecord {
  const { next } = before;
  const free = status?.initialized === false || isSameToken(spec.hsm, before.inForce);
  const inForce = free && next === undefined ? spec.hsm : before.inForce;
  return { inForce, ...(next === undefined || !goesOn ? {} : { next }) };
}

/** What the record says, read from the API server; the specification when there is none. */
export async function readSealRecord(vault: SealedVault, context: ReconcileContext): Promise<SealRecord> {
  return (await read(vault, context))?.record ?? { inForce: vault.spec.hsm };
}

/**
 * Changes the record.
 * @param change from what it is to what it should be; the same one when nothing is to be done
 */
export async function changeSealRecord(
  vault: SealedVault,
  context: ReconcileContext,
  change: (record: SealRecord) => SealRecord,
): Promise<SealRecord> {
  const found = await read(vault, context);
  const before = found?.record ?? { inForce: vault.spec.hsm };
  const after = change(before);
  if (!same(before, after)) await write(vault, after, found?.version, context);
  return after;
}

async function read(vault: SealedVault, { api, signal }: ReconcileContext): Promise<Found | undefined> {
  return parse(vault, await api.get<ConfigMap>(CONFIG_MAP, recordKey(vault), signal));
}

async function write(
  vault: SealedVault,
  record: SealRecord,
  version: string | undefined,
  { api, signal }: ReconcileContext,
): Promise<void> {
  const object = recordObject(vault, record);
  const metadata = { ...object.metadata, ...(version === undefined ? {} : { resourceVersion: version }) };
  await api.apply(CONFIG_MAP, { ...object, metadata }, signal);
}

function recordKey({ metadata }: SealedVault): { namespace: string; name: string } {
  return { namespace: metadata.namespace ?? '', name: `${metadata.name}-seal` };
}

function recordObject(vault: SealedVault, { inForce, next }: SealRecord): ConfigMap {
  const { name } = vault.metadata;
  const meta = ownedMeta(vault, recordKey(vault).name);
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...meta, labels: { ...meta.labels, [SEAL_LABEL]: name } },
    data: {
      'in-force.json': JSON.stringify(inForce),
      ...(next === undefined ? {} : { 'next.json': JSON.stringify(next) }),
    },
  };
}

function parse(vault: SealedVault, map: ConfigMap | undefined): Found | undefined {
  const owned = map?.metadata.ownerReferences?.some(({ uid }) => uid === vault.metadata.uid) === true;
  const inForce = owned ? hsmOf(map.data?.['in-force.json']) : undefined;
  if (map === undefined || inForce === undefined) return undefined;
  const next = nextOf(map.data?.['next.json']);
  return {
    record: { inForce, ...(next === undefined ? {} : { next }) },
    version: map.metadata.resourceVersion,
  };
}

function nextOf(text: string | undefined): NextSeal | undefined {
  const value = json(text) as { readonly hsm?: unknown; readonly ceremony?: unknown } | undefined;
  const parsed = hsm.safeParse(value?.hsm);
  const ceremony = value?.ceremony;
  return parsed.success && typeof ceremony === 'string' ? { hsm: parsed.data, ceremony } : undefined;
}

function hsmOf(text: string | undefined): HsmSpec | undefined {
  const parsed = hsm.safeParse(json(text));
  return parsed.success ? parsed.data : undefined;
}

function json(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function same(a: unknown, b: unknown): boolean {
  const plain = (value: unknown): string => canonicalJson(JSON.parse(JSON.stringify(value)) as Json);
  return plain(a) === plain(b);
}
