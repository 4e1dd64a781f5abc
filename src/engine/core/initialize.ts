import { createHash } from 'node:crypto';
import { type CustodianKey, encryptToCustodian, inspectCustodianKey } from '../../ceremony/pgp.ts';
import { splitSecret } from '../../ceremony/shares.ts';
import { text, toBase64, toHex, utf8 } from '../../lib/bytes.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { Secret } from '../../lib/secret.ts';
import { Barrier } from '../barrier/barrier.ts';
import { createInmem } from '../physical/inmem.ts';
import type { Physical } from '../physical/physical.ts';
import type { Seal } from '../seal/seal.ts';
import type { InitOutcome, InitRequest } from '../sys/port.ts';
import { recoveryConfigPut, recoveryKeyPut, sealConfigPut, storedKeyPut } from './seal-store.ts';

const RESULT_PATH = 'core/init-result';

export interface InitOptions {
  readonly physical: Physical;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly random: Random;
  /** Shares without PGP keys are refused. */
  readonly requirePgpShares: boolean;
  /** Writes the first tables behind the barrier. @returns the text of a root token when one is to be issued, else '' */
  readonly populate: (barrier: Barrier, clusterId: string, issueRootToken: boolean) => Promise<string>;
}

/** A request that may be carried out, with the keys it names. */
export interface CheckedInit {
  readonly request: InitRequest;
  /** One a share, in order; empty when shares are to be returned in plaintext. */
  readonly custodians: readonly CustodianKey[];
  readonly rootTokenTo: CustodianKey | undefined;
}

/**
 * Checks what a request asks for, in the words of Vault's API. Nothing is touched.
 * @returns a refusal as text, or the checked request
 */
export async function checkInit(request: InitRequest, options: InitOptions): Promise<CheckedInit | string> {
  const { type } = options.seal;
  const foreign = [
    ...(request.secretShares ? ['secret_shares'] : []),
    ...(request.secretThreshold ? ['secret_threshold'] : []),
    ...(request.storedShares ? ['stored_shares'] : []),
    ...(request.pgpKeys?.length ? ['pgp_keys'] : []),
  ];
  if (foreign.length > 0) return `parameters ${foreign.join(',')} not applicable to seal type ${type}`;

  const shares = request.recoveryShares ?? 0;
  const threshold = request.recoveryThreshold ?? 0;
  const keys = request.recoveryPgpKeys ?? [];
  const problem = checkCounts(shares, threshold, keys.length);
  if (problem !== undefined) return `invalid recovery configuration: ${problem}`;

  if (options.requirePgpShares) {
    if (keys.length !== shares)
      return 'this vault only hands out PGP-encrypted recovery shares: give one recovery_pgp_keys entry a share';
    if (request.rootTokenPgpKey === undefined && !request.omitRootToken) {
      return 'this vault only hands out a PGP-encrypted root token: give root_token_pgp_key, or omit_root_token';
    }
  }
  if (
    request.ceremonyId !== undefined &&
    (keys.length !== shares || (request.rootTokenPgpKey === undefined && !request.omitRootToken))
  ) {
    return 'ceremony_id needs recovery_pgp_keys and either root_token_pgp_key or omit_root_token: only ciphertext is kept';
  }
  const now = new Date(options.clock.now());
  const custodians: CustodianKey[] = [];
  for (const [index, key] of keys.entries()) {
    const inspected = await inspectCustodianKey(key, now);
    if (!inspected.ok)
      return `invalid recovery configuration: error parsing PGP key ${index + 1}: ${inspected.message}`;
    custodians.push(inspected.key);
  }
  if (request.rootTokenPgpKey === undefined) return { request, custodians, rootTokenTo: undefined };
  const inspected = await inspectCustodianKey(request.rootTokenPgpKey, now);
  if (!inspected.ok) return `error parsing root token PGP key: ${inspected.message}`;
  return { request, custodians, rootTokenTo: inspected.key };
}

function checkCounts(shares: number, threshold: number, keys: number): string | undefined {
  if (shares < 0 || threshold < 0) return 'shares and threshold cannot be negative';
  if (shares === 0 && threshold === 0)
    return keys === 0 ? undefined : 'count mismatch between number of provided PGP keys and number of shares';
  if (shares === 0) return 'shares must be at least one';
  if (threshold === 0) return 'threshold must be at least one';
  if (shares > 255) return 'shares must be less than 256';
  if (threshold > shares) return 'threshold cannot be larger than shares';
  if (shares > 1 && threshold === 1) return 'threshold must be greater than one for multiple shares';
  return keys > 0 && keys !== shares
    ? 'count mismatch between number of provided PGP keys and number of shares'
    : undefined;
}

/**
 * Makes a vault: builds everything in memory, wraps the keys by the seal, and writes it all in one atomic batch.
 * A crash leaves nothing, or a whole vault whose (encrypted) answer can be asked for again by its ceremony_id.
 * The seal must be open. @throws ERR_HSM_* and ERR_PHYSICAL; nothing is written then
 */
export async function initialize(checked: CheckedInit, options: InitOptions): Promise<InitOutcome> {
  const { request } = checked;
  const { seal, clock, random, physical } = options;
  const clusterId = random.uuid();
  const shares = request.recoveryShares ?? 0;
  const staging = createInmem();

  using rootKey = Secret.own(random.bytes(32));
  using recoveryKey = Secret.own(random.bytes(32));
  const call = { signal: request.signal };
  const wrappedRoot = await seal.wrap(rootKey, { clusterId, purpose: 'root-key' }, call);
  const barrier = await Barrier.initialize(staging, rootKey, random, new Date(clock.now()));
  await staging.write([
    sealConfigPut({ type: seal.type, secretShares: 1, secretThreshold: 1, clusterId }),
    recoveryConfigPut({ shares, threshold: request.recoveryThreshold ?? 0 }),
    storedKeyPut(wrappedRoot),
    ...(shares === 0
      ? []
      : [recoveryKeyPut(await seal.wrap(recoveryKey, { clusterId, purpose: 'recovery-key' }, call))]),
  ]);
  const rootToken = await options.populate(barrier, clusterId, !request.omitRootToken);
  const outcome: InitOutcome = {
    recoveryKeys: await handOut(recoveryKey, checked),
    rootToken: await handOutToken(rootToken, checked),
    warnings:
      shares > 0 && checked.custodians.length === 0
        ? [
            'Recovery shares were returned without PGP encryption: whoever saw this answer can use them. Give recovery_pgp_keys instead.',
          ]
        : [],
  };
  if (request.ceremonyId !== undefined) {
    const kept = {
      digest: digest(request),
      keys: outcome.recoveryKeys.map(toBase64),
      rootToken: outcome.rootToken,
    };
    await barrier.put(RESULT_PATH, utf8(JSON.stringify(kept)));
  }
  barrier.seal();
  await physical.write(staging.dump());
  return outcome;
}

/** @returns the answer that an initialization with the same ceremony_id and the same request got. */
export async function repeatedInit(request: InitRequest, barrier: Barrier): Promise<InitOutcome | undefined> {
  if (request.ceremonyId === undefined) return undefined;
  const bytes = await barrier.get(RESULT_PATH);
  if (bytes === undefined) return undefined;
  const kept = JSON.parse(text(bytes)) as { digest: string; keys: string[]; rootToken: string };
  if (kept.digest !== digest(request)) return undefined;
  return {
    recoveryKeys: kept.keys.map((key) => Uint8Array.from(Buffer.from(key, 'base64'))),
    rootToken: kept.rootToken,
    warnings: [],
  };
}

async function handOut(recoveryKey: Secret, { request, custodians }: CheckedInit): Promise<Uint8Array[]> {
  const count = request.recoveryShares ?? 0;
  if (count === 0) return [];
  const shares = await splitSecret(recoveryKey, count, request.recoveryThreshold ?? count);
  const out: Uint8Array[] = [];
  for (const [index, share] of shares.entries()) {
    using owned = share;
    const custodian = custodians[index];
    if (custodian === undefined) out.push(owned.borrow((bytes) => Uint8Array.from(bytes)));
    else {
      // Vault's clients expect the hex text of the share inside the message.
      using hex = Secret.fromText(owned.borrow(toHex));
      out.push(await encryptToCustodian(hex, custodian.binaryBase64));
    }
  }
  return out;
}

async function handOutToken(token: string, { rootTokenTo }: CheckedInit): Promise<string> {
  if (token === '' || rootTokenTo === undefined) return token;
  using secret = Secret.fromText(token);
  return toBase64(await encryptToCustodian(secret, rootTokenTo.binaryBase64));
}

function digest(request: InitRequest): string {
  const frozen = [
    request.ceremonyId,
    request.recoveryShares,
    request.recoveryThreshold,
    request.recoveryPgpKeys,
    request.rootTokenPgpKey,
    request.omitRootToken,
  ];
  return createHash('sha256').update(JSON.stringify(frozen)).digest('hex');
}
