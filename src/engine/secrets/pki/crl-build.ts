import { toHex } from '../../../lib/bytes.ts';
import { parseDuration } from '../../../lib/duration.ts';
import type { Storage } from '../../logical/storage.ts';
import { type CrlConfig, getCrlConfig, getIssuersConfig } from './config.ts';
import type { Pki } from './context.ts';
import { type CrlState, deleteCrl, getCrlState, putCrl, putCrlState } from './crl-store.ts';
import { allIssuers, certificateOf, getKey, type IssuerEntry, reasonOf } from './issuers.ts';
import { listRevoked } from './revoked-list.ts';
import { clearPending, getRevoked, listPending, putRevoked, revokedCertificate } from './revoked.ts';
import { serialContent, serialOfKey } from './serial.ts';
import { algorithmFor } from './x509/algorithms.ts';
import type { Certificate } from './x509/certificate.ts';
import { makeCrl, type RevokedEntry } from './x509/crl.ts';
import { encode } from './x509/der.ts';
import { Refused } from './refused.ts';
import { signingKeyOf } from './signing.ts';

interface Known {
  readonly entry: IssuerEntry;
  readonly certificate: Certificate;
}

/** Issuers of one key and one subject: to whoever verifies they are one, so they have one list. */
type Group = readonly [Known, ...Known[]];

/**
 * Makes the complete lists of all issuers anew, and their deltas, which are empty then.
 * @param always also where lists are disabled: they are then made once more, empty
 * @returns warnings
 */
export async function buildCrls(pki: Pki, storage: Storage, always: boolean): Promise<string[]> {
  const config = await getCrlConfig(storage);
  if (config.disable && !always) return [];
  const groups = await groupsOf(storage);
  const entries = config.disable
    ? new Map<string, RevokedEntry[]>()
    : await entriesOf(storage, groups, await listRevoked(storage));
  const state = await getCrlState(storage);
  const now = pki.clock.now();
  const ends = now + (parseDuration(config.expiry) ?? 0) * 1000;
  const next: Writable = { byIssuer: {}, next: {}, complete: {}, ends: groups.length === 0 ? 0 : ends };
  const warnings: string[] = [];
  for (const group of groups) {
    const id = group.map(({ entry }) => state.byIssuer[entry.id]).find((known) => known !== undefined);
    const list = id ?? pki.random.uuid();
    for (const { entry } of group) next.byIssuer[entry.id] = list;
    const number = state.next[list] ?? 1;
    const signed = await signList(pki, storage, group, {
      entries: entriesFor(group, entries),
      number,
      thisUpdate: now,
      nextUpdate: ends,
    });
    const isRefused = signed instanceof Refused;
    next.next[list] = isRefused ? number : number + 1;
    next.complete[list] = isRefused ? (state.complete[list] ?? 0) : number;
    if (isRefused) warnings.push(signed.message);
    else await putCrl(storage, list, false, signed);
  }
  const kept = new Set(Object.values(next.byIssuer));
  for (const list of new Set(Object.values(state.byIssuer)))
    if (!kept.has(list)) await deleteCrl(storage, list);
  await putCrlState(storage, { ...next, deltaBuilt: state.deltaBuilt });
  await clearPending(storage);
  // An empty one where deltas are off: clients that look for one find that nothing was revoked since.
  await buildDeltas(pki, storage);
  return warnings;
}

/** Makes the deltas of all lists: what was revoked since the complete ones. */
export async function buildDeltas(pki: Pki, storage: Storage): Promise<void> {
  const config: CrlConfig = await getCrlConfig(storage);
  const state = await getCrlState(storage);
  const groups = await groupsOf(storage);
  const entries = config.disable
    ? new Map<string, RevokedEntry[]>()
    : await entriesOf(storage, groups, await listPending(storage));
  const now = pki.clock.now();
  const next = { ...state.next };
  for (const group of groups) {
    const list = state.byIssuer[group[0].entry.id];
    if (list === undefined) continue;
    const number = next[list] ?? 1;
    const signed = await signList(pki, storage, group, {
      entries: entriesFor(group, entries),
      number,
      base: state.complete[list] ?? 0,
      thisUpdate: now,
      nextUpdate: now + (parseDuration(config.expiry) ?? 0) * 1000,
    });
    if (signed instanceof Refused) continue;
    next[list] = number + 1;
    await putCrl(storage, list, true, signed);
  }
  await putCrlState(storage, { ...state, next, deltaBuilt: now });
}

interface Writable extends Pick<CrlState, 'ends'> {
  readonly byIssuer: Record<string, string>;
  readonly next: Record<string, number>;
  readonly complete: Record<string, number>;
}

async function groupsOf(storage: Storage): Promise<Group[]> {
  const groups = new Map<string, [Known, ...Known[]]>();
  for (const entry of await allIssuers(storage)) {
    if (entry.keyId === '') continue;
    const certificate = certificateOf(entry);
    const name = `${entry.keyId} ${toHex(encode(certificate.subject))}`;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [{ entry, certificate }]);
    else group.push({ entry, certificate });
  }
  return [...groups.values()];
}

/** Revoked certificates by the id of their issuer; those of nobody here are on the default issuer's list. */
async function entriesOf(
  storage: Storage,
  groups: readonly Group[],
  serials: readonly string[],
): Promise<Map<string, RevokedEntry[]>> {
  const issuers = groups.flat();
  const known = new Set(issuers.map(({ entry }) => entry.id));
  const { default: fallback } = await getIssuersConfig(storage);
  const found = new Map<string, RevokedEntry[]>();
  for (const key of serials) {
    const record = await getRevoked(storage, serialOfKey(key));
    const serial = serialContent(key);
    if (record === undefined || serial === undefined) continue;
    let { issuerId } = record;
    if (!known.has(issuerId)) {
      const certificate = revokedCertificate(record);
      const issuer = issuers.find((one) => certificate?.isSignedBy(one.certificate) === true);
      issuerId = issuer?.entry.id ?? fallback;
      if (issuer !== undefined) await putRevoked(storage, serialOfKey(key), { ...record, issuerId });
    }
    const entry = { serial, time: Date.parse(record.rfc3339) };
    const others = found.get(issuerId);
    if (others === undefined) found.set(issuerId, [entry]);
    else others.push(entry);
  }
  return found;
}

function entriesFor(group: Group, entries: ReadonlyMap<string, RevokedEntry[]>): RevokedEntry[] {
  return group.flatMap(({ entry }) => entries.get(entry.id) ?? []);
}

// Refused when none of the group may sign lists.
async function signList(
  pki: Pki,
  storage: Storage,
  group: Group,
  content: Parameters<typeof makeCrl>[0],
): Promise<Uint8Array | Refused> {
  const signer = group.find(({ entry }) => entry.usage.includes('crl-signing'));
  const key = signer === undefined ? undefined : await getKey(storage, signer.entry.keyId);
  if (signer === undefined || key === undefined) return new Refused(lackingUsage(group));
  const privateKey = await signingKeyOf(pki, key);
  if (privateKey instanceof Refused) return new Refused(reasonOf(privateKey));
  const algorithm = signer.entry.revocationAlgorithm || algorithmFor(privateKey);
  return makeCrl(content, signer.certificate, privateKey, algorithm);
}

function lackingUsage(group: Group): string {
  const ids = group.map(({ entry }) => entry.id).join(', ');
  return `issuer equivalency set with keys and subjects of [${ids}] lacks an issuer with CRL Signing (KeyUsage); refusing to rebuild this CRL`;
}
