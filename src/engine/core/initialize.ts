import { createHash } from 'node:crypto';
import { isDigest } from '../../ceremony/canonical.ts';
import { type CustodianKey, inspectCustodianKey } from '../../ceremony/pgp.ts';
import { fromBase64, text, toBase64, utf8 } from '../../lib/bytes.ts';
import type { Clock } from '../../lib/clock.ts';
import type { KeyRandom } from '../../lib/key-random.ts';
import type { Random } from '../../lib/random.ts';
import { Secret } from '../../lib/secret.ts';
import { Barrier, type BarrierOperation } from '../barrier/barrier.ts';
import { createInmem } from '../physical/inmem.ts';
import type { Physical, PhysicalOperation } from '../physical/physical.ts';
import type { Seal, SealType } from '../seal/seal.ts';
import { createShamirSeal } from '../seal/shamir.ts';
import type { InitOutcome, InitRequest } from '../sys/port.ts';
import { holdersPut } from './ceremony/holders.ts';
import { INITIALIZATION } from './ceremony/initialization.ts';
import {
  checkCounts,
  type HandedOut,
  handOut,
  handOutToken,
  inspectKeys,
  type Split,
} from './quorum/hand-out.ts';
import { recoveryConfigPut, recoveryKeyPut, sealConfigPut, storedKeyPut } from './seal-store.ts';

export interface InitOptions {
  readonly physical: Physical;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly random: Random;
  readonly keyRandom: KeyRandom;
  /** Shares without PGP keys are refused. */
  readonly requirePgpShares: boolean;
  /** Writes the first tables behind the barrier. @returns the text of a root token when one is to be issued, else '' */
  readonly populate: (barrier: Barrier, clusterId: string, issueRootToken: boolean) => Promise<string>;
}

/** A request that may be carried out, with the keys it names. */
export interface CheckedInit {
  readonly request: InitRequest;
  readonly split: Split;
  readonly rootTokenTo: CustodianKey | undefined;
}

/**
 * Checks what a request asks for, in the words of Vault's API. Nothing is touched.
 * @returns a refusal as text, or the checked request
 */
export async function checkInit(request: InitRequest, options: InitOptions): Promise<CheckedInit | string> {
  const { type } = options.seal;
  const wanted = sharesWanted(request, type);
  if (typeof wanted === 'string') return wanted;
  const { shares, threshold, keys, what } = wanted;
  const none = type !== 'shamir' && shares === 0 && threshold === 0 && keys.length === 0;
  const problem = none ? undefined : checkCounts(shares, threshold, keys.length);
  if (problem !== undefined) return `invalid ${what} configuration: ${problem}`;

  if (options.requirePgpShares) {
    if (keys.length !== shares)
      return `this vault only hands out PGP-encrypted shares: give one ${wanted.keysName} entry a share`;
    if (request.rootTokenPgpKey === undefined && !request.omitRootToken) {
      return 'this vault only hands out a PGP-encrypted root token: give root_token_pgp_key, or omit_root_token';
    }
  }
  if (
    request.ceremonyId !== undefined &&
    (keys.length !== shares || (request.rootTokenPgpKey === undefined && !request.omitRootToken))
  ) {
    return `ceremony_id needs ${wanted.keysName} and either root_token_pgp_key or omit_root_token: only ciphertext is kept`;
  }
  if (request.ceremonyDigest !== undefined) {
    if (request.ceremonyId === undefined) return 'ceremony_digest belongs to ceremony_id';
    if (!isDigest(request.ceremonyDigest)) return 'ceremony_digest must be sha256: and 64 hex digits';
  }
  const names = request.recoveryCustodians;
  if (names !== undefined && (type === 'shamir' || names.length !== shares || new Set(names).size !== shares))
    return 'recovery_custodians needs one name for each recovery share, no two the same';
  const now = new Date(options.clock.now());
  const custodians = await inspectKeys(keys, now);
  if (typeof custodians === 'string') return `invalid ${what} configuration: ${custodians}`;
  const split = { shares, threshold, custodians };
  if (request.rootTokenPgpKey === undefined) return { request, split, rootTokenTo: undefined };
  const inspected = await inspectCustodianKey(request.rootTokenPgpKey, now);
  if (!inspected.ok) return `error parsing root token PGP key: ${inspected.message}`;
  return { request, split, rootTokenTo: inspected.key };
}

interface SharesWanted {
  readonly shares: number;
  readonly threshold: number;
  readonly keys: readonly string[];
  readonly keysName: string;
  /** The word of the API for the configuration of these shares. */
  readonly what: string;
}

// Unseal shares under a Shamir seal, recovery shares under any other: never both.
function sharesWanted(request: InitRequest, type: SealType): SharesWanted | string {
  const secret = given({
    secret_shares: request.secretShares,
    secret_threshold: request.secretThreshold,
    pgp_keys: request.pgpKeys?.length,
  });
  const recovery = given({
    recovery_shares: request.recoveryShares,
    recovery_threshold: request.recoveryThreshold,
    recovery_pgp_keys: request.recoveryPgpKeys?.length,
  });
  const stored = given({ stored_shares: request.storedShares });
  const foreign = type === 'shamir' ? recovery : [...secret, ...stored];
  if (foreign.length > 0) return `parameters ${foreign.join(',')} not applicable to seal type ${type}`;
  if (type !== 'shamir') {
    return {
      shares: request.recoveryShares ?? 0,
      threshold: request.recoveryThreshold ?? 0,
      keys: request.recoveryPgpKeys ?? [],
      keysName: 'recovery_pgp_keys',
      what: 'recovery',
    };
  }
  if (stored.length > 0 && request.storedShares !== request.secretShares)
    return 'stored_shares must equal secret_shares';
  return {
    shares: request.secretShares ?? 0,
    threshold: request.secretThreshold ?? 0,
    keys: request.pgpKeys ?? [],
    keysName: 'pgp_keys',
    what: 'seal',
  };
}

function given(values: Readonly<Record<string, number | undefined>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => (value ? [name] : []));
}

/**
 * Makes a vault: builds everything in memory, wraps the keys by the seal, and writes it all in one atomic batch.
 * A crash leaves nothing, or a whole vault whose (encrypted) answer can be asked for again by its ceremony_id.
 * The seal must be open. @throws ERR_HSM_* and ERR_PHYSICAL; nothing is written then
 */
export async function initialize(checked: CheckedInit, options: InitOptions): Promise<InitOutcome> {
  const { request, split } = checked;
  const { clock, random, keyRandom, physical } = options;
  const clusterId = random.uuid();
  const staging = createInmem();

  await keyRandom.ready();
  using rootKey = Secret.own(keyRandom.bytes(32));
  // What the shares are made of: the unseal key under a Shamir seal, the recovery key under any other.
  using heldKey = Secret.own(keyRandom.bytes(32));
  const barrier = await Barrier.initialize(staging, rootKey, keyRandom, new Date(clock.now()));
  await staging.write(await sealRecords({ rootKey, heldKey, clusterId }, checked, options));
  const rootToken = await options.populate(barrier, clusterId, !request.omitRootToken);
  const out = split.shares === 0 ? undefined : await handOut(heldKey, split);
  if (out !== undefined && options.seal.type !== 'shamir')
    await barrier.write([firstHolders(checked, out, new Date(clock.now()))]);
  const outcome: InitOutcome = {
    keys: out?.messages ?? [],
    rootToken: await handOutToken(rootToken, checked.rootTokenTo),
    warnings: split.shares > 0 && split.custodians.length === 0 ? [plaintextWarning(options.seal.type)] : [],
  };
  if (request.ceremonyId !== undefined) {
    const kept = {
      ceremonyId: request.ceremonyId,
      planDigest: request.ceremonyDigest,
      digest: digest(request),
      keys: outcome.keys.map(toBase64),
      rootToken: outcome.rootToken,
    };
    await barrier.put(INITIALIZATION, utf8(JSON.stringify(kept)));
  }
  barrier.seal();
  await physical.write(staging.dump());
  return outcome;
}

// People know their shares by name only when a ceremony gave names.
function firstHolders(
  { request, split }: CheckedInit,
  { proofKeys }: HandedOut,
  now: Date,
): BarrierOperation {
  return holdersPut(undefined, {
    threshold: split.threshold,
    createdAt: now.toISOString(),
    holders: proofKeys.map((proofKey, index) => ({
      name: request.recoveryCustodians?.[index] ?? '',
      fingerprint: split.custodians[index]?.fingerprint ?? '',
      proofKey,
    })),
  });
}

function plaintextWarning(type: SealType): string {
  const [what, field] =
    type === 'shamir' ? ['Unseal shares', 'pgp_keys'] : ['Recovery shares', 'recovery_pgp_keys'];
  return `${what} were returned without PGP encryption: whoever saw this answer can use them. Give ${field} instead.`;
}

// What stands outside the barrier: by whom it was sealed, how many shares there are, and the wrapped keys.
async function sealRecords(
  { rootKey, heldKey, clusterId }: { rootKey: Secret; heldKey: Secret; clusterId: string },
  { request, split }: CheckedInit,
  { seal, random }: InitOptions,
): Promise<PhysicalOperation[]> {
  const { type } = seal;
  const call = { signal: request.signal };
  if (type === 'shamir') {
    const shamir = createShamirSeal(random);
    shamir.setKey(heldKey);
    const { shares: secretShares, threshold: secretThreshold } = split;
    try {
      return [
        sealConfigPut({ type, secretShares, secretThreshold, clusterId }),
        storedKeyPut(await shamir.wrap(rootKey, { clusterId, purpose: 'root-key' }, call)),
      ];
    } finally {
      shamir.forget();
    }
  }
  return [
    sealConfigPut({ type, secretShares: 1, secretThreshold: 1, clusterId }),
    recoveryConfigPut(split),
    storedKeyPut(await seal.wrap(rootKey, { clusterId, purpose: 'root-key' }, call)),
    ...(split.shares === 0
      ? []
      : [recoveryKeyPut(await seal.wrap(heldKey, { clusterId, purpose: 'recovery-key' }, call))]),
  ];
}

/** @returns the answer that an initialization with the same ceremony_id and the same request got. */
export async function repeatedInit(request: InitRequest, barrier: Barrier): Promise<InitOutcome | undefined> {
  if (request.ceremonyId === undefined) return undefined;
  const bytes = await barrier.get(INITIALIZATION);
  if (bytes === undefined) return undefined;
  const kept = JSON.parse(text(bytes)) as { digest: string; keys: string[]; rootToken: string };
  if (kept.digest !== digest(request)) return undefined;
  return {
    keys: kept.keys.map((key) => fromBase64(key) ?? new Uint8Array()),
    rootToken: kept.rootToken,
    warnings: [],
  };
}

function digest(request: InitRequest): string {
  const frozen = [
    request.ceremonyId,
    ...(request.secretShares === undefined
      ? []
      : [request.secretShares, request.secretThreshold, request.pgpKeys]),
    request.recoveryShares,
    request.recoveryThreshold,
    request.recoveryPgpKeys,
    request.rootTokenPgpKey,
    request.omitRootToken,
    ...(request.recoveryCustodians === undefined ? [] : [request.recoveryCustodians]),
    ...(request.ceremonyDigest === undefined ? [] : [{ ceremonyDigest: request.ceremonyDigest }]),
  ];
  return createHash('sha256').update(JSON.stringify(frozen)).digest('hex');
}
