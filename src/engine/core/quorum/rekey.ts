import { equalBytes, toBase64, toHex } from '../../../lib/bytes.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { KeyRandom } from '../../../lib/key-random.ts';
import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { Secret } from '../../../lib/secret.ts';
import type { Barrier } from '../../barrier/barrier.ts';
import { getJson, jsonPut, type StorageOperation } from '../../logical/storage.ts';
import { isShamir } from '../../seal/shamir.ts';
import type {
  QuorumRefusal,
  RekeyBackup,
  RekeyPort,
  RekeyRequest,
  RekeyResult,
  RekeyStatus,
  RekeyVerification,
} from '../../sys/quorum-port.ts';
import { ShareAttempt } from './attempt.ts';
import { holdersPut, readHolders } from '../ceremony/holders.ts';
import { checkCounts, type HandedOut, handOut, inspectKeys, type Split } from './hand-out.ts';
import { isQuorumKey, type QuorumPorts, quorumSize } from './quorum.ts';
import { commitRecoveryKey, commitRootKey, commitUnsealKey } from './commit.ts';

/**
 * New shares by a quorum of the old ones (Vault: `sys/rekey`, `sys/rekey-recovery-key`, `sys/rotate/{root,recovery}`).
 *
 * I1  Until the last step the old shares are the right ones, whatever crashes; the last step is one atomic write.
 * I2  With verification, new shares count only after a threshold of them was given back.
 * I3  One rekey of a kind at a time, however it was started; its state is in memory and sealing forgets it.
 */
export interface RekeyOptions extends QuorumPorts {
  readonly barrier: Barrier;
  readonly random: KeyRandom;
  readonly clock: Clock;
  /** `barrier`: the unseal key, or the root key behind an HSM. `recovery`: the recovery key. */
  readonly target: 'barrier' | 'recovery';
  readonly requirePgp: boolean;
}

interface Running {
  readonly split: Split;
  readonly backup: boolean;
  readonly verify: boolean;
  readonly attempt: ShareAttempt;
  /** The new key, while its shares wait to be verified. */
  pending?: { readonly key: Secret; readonly out: HandedOut; attempt: ShareAttempt };
}

const words = {
  operation: 'rekey',
  duplicate: 'given key has already been provided during this rekey operation',
};
const verifyWords = {
  operation: 'rekey verification',
  duplicate: 'given key has already been provided during this verify operation',
};
const idle: QuorumRefusal = { refused: 'no rekey in progress' };
const nothingToVerify: QuorumRefusal = { refused: 'no rekey verification in progress' };

export function createRekey(options: RekeyOptions): RekeyPort {
  const { random, seal, barrier, clock, target } = options;
  const behindHsm = target === 'barrier' && !isShamir(seal);
  const backupPath = target === 'barrier' ? 'core/unseal-keys-backup' : 'core/recovery-keys-backup';
  const turns = new KeyedMutex();
  let running: Running | undefined;

  const fingerprints = ({ split }: Running): string[] | undefined =>
    split.custodians.length === 0 ? undefined : split.custodians.map(({ fingerprint }) => fingerprint);

  const status = async (): Promise<RekeyStatus> => ({
    nonce: running?.attempt.nonce ?? '',
    started: running !== undefined,
    threshold: behindHsm ? 0 : (running?.split.threshold ?? 0),
    shares: behindHsm ? 0 : (running?.split.shares ?? 0),
    progress: running?.attempt.shares.size ?? 0,
    required: (await quorumSize(options)).threshold,
    pgpFingerprints: running === undefined ? undefined : fingerprints(running),
    backup: running?.backup ?? false,
    verificationRequired: running?.verify ?? false,
    verificationNonce: running?.pending?.attempt.nonce ?? '',
  });

  const check = async (request: RekeyRequest): Promise<Split | QuorumRefusal> => {
    if (behindHsm) return { shares: 1, threshold: 1, custodians: [], ...refuseForHsm(request) };
    const { shares, threshold, pgpKeys } = request;
    if (request.backup && pgpKeys.length === 0)
      return { refused: 'cannot request a backup of the new keys without providing PGP keys for encryption' };
    if (pgpKeys.length > 0 && pgpKeys.length !== shares)
      return { refused: 'incorrect number of PGP keys for rekey' };
    const wrong = checkCounts(shares, threshold, pgpKeys.length);
    if (wrong !== undefined)
      return {
        refused: `invalid ${target === 'recovery' ? 'recovery' : 'rekey seal'} configuration: ${wrong}`,
      };
    if (options.requirePgp && pgpKeys.length === 0)
      return { refused: 'this vault only hands out PGP-encrypted shares: give one pgp_keys entry a share' };
    const custodians = await inspectKeys(pgpKeys, new Date(clock.now()));
    return typeof custodians === 'string' ? { refused: custodians } : { shares, threshold, custodians };
  };

  const commit = async (key: Secret, { split }: Running, out: HandedOut): Promise<void> => {
    const behind =
      out.messages.length > 0 && running?.backup === true
        ? [jsonPut(backupPath, backupOf(running, out.messages))]
        : [];
    if (target === 'recovery')
      await commitRecoveryKey(options, key, split, [...behind, await holdersOf(split, out)]);
    else if (isShamir(seal)) await commitUnsealKey({ ...options, seal }, key, split, behind);
    else await commitRootKey(options);
  };

  const holdersOf = async (split: Split, { proofKeys }: HandedOut): Promise<StorageOperation> =>
    holdersPut(await readHolders(barrier), {
      threshold: split.threshold,
      createdAt: new Date(clock.now()).toISOString(),
      holders: proofKeys.map((proofKey, index) => ({
        name: '',
        fingerprint: split.custodians[index]?.fingerprint ?? '',
        proofKey,
      })),
    });

  // The quorum is there: makes the key, and puts it in force unless its shares are to be verified first.
  const finish = async (current: Running): Promise<RekeyResult> => {
    await random.ready();
    const key = Secret.own(random.bytes(32));
    const out = behindHsm ? { messages: [], proofKeys: [] } : await handOut(key, current.split);
    const keys = out.messages;
    if (current.verify) {
      if (current.backup) await barrier.write([jsonPut(backupPath, backupOf(current, keys))]);
      current.pending = {
        key,
        out: { messages: [], proofKeys: out.proofKeys },
        attempt: new ShareAttempt(random.uuid(), verifyWords),
      };
    } else {
      using owned = key;
      await commit(owned, current, out);
      running = undefined;
    }
    return {
      complete: true,
      nonce: current.attempt.nonce,
      keys,
      pgpFingerprints: fingerprints(current),
      backup: current.backup,
      verificationRequired: current.verify,
      verificationNonce: current.pending?.attempt.nonce ?? '',
    };
  };

  const start: RekeyPort['start'] = async (request) => {
    if (running !== undefined) return { refused: 'rekey already in progress' };
    const split = await check(request);
    if ('refused' in split) return split;
    const { threshold } = await quorumSize(options);
    if (threshold === 0 && target === 'barrier')
      return { refused: 'this vault has no recovery key: make one by sys/rotate/recovery/init' };
    const attempt = new ShareAttempt(random.uuid(), words);
    running = { split, backup: request.backup, verify: request.requireVerification, attempt };
    if (threshold > 0) return status();
    try {
      return await finish(running);
    } catch (error) {
      running = undefined;
      throw error;
    }
  };

  const update: RekeyPort['update'] = async (submission) => {
    if (running === undefined) return idle;
    if (running.pending !== undefined)
      return { refused: 'rekey operation already finished; the new shares must be verified now' };
    const current = running;
    const key = await current.attempt.submit(submission, (await quorumSize(options)).threshold);
    if (key === undefined) return status();
    if ('refused' in key) return key;
    using owned = key;
    if (!(await isQuorumKey(options, owned, submission.signal)))
      return { refused: `rekey aborted: unable to authenticate: the key shares are not the right ones` };
    return running === current ? finish(current) : { refused: 'the rekey was cancelled meanwhile' };
  };

  const verification = (): RekeyVerification | QuorumRefusal => {
    const pending = running?.pending;
    if (running === undefined) return { refused: 'no rekey configuration found' };
    return {
      nonce: pending?.attempt.nonce ?? '',
      started: pending !== undefined,
      threshold: running.split.threshold,
      shares: running.split.shares,
      progress: pending?.attempt.shares.size ?? 0,
    };
  };

  const restartVerification = (): RekeyVerification | QuorumRefusal => {
    const pending = running?.pending;
    if (pending === undefined) return running === undefined ? verification() : nothingToVerify;
    pending.attempt.shares.clear();
    pending.attempt = new ShareAttempt(random.uuid(), verifyWords);
    return verification();
  };

  const verify: RekeyPort['verify'] = async (submission) => {
    const current = running;
    const pending = current?.pending;
    if (current === undefined || pending === undefined) return nothingToVerify;
    const { attempt } = pending;
    const given = await attempt.submit(submission, current.split.threshold);
    if (given === undefined) return verification();
    if ('refused' in given) return given;
    using owned = given;
    if (!owned.borrow((a) => pending.key.borrow((b) => equalBytes(a, b)))) {
      restartVerification();
      return { refused: 'rekey verification failed; incorrect key shares supplied' };
    }
    if (running !== current) return { refused: 'the rekey was cancelled meanwhile' };
    await commit(pending.key, current, pending.out);
    forget();
    return { complete: true, nonce: attempt.nonce };
  };

  const forget = (): void => {
    running?.attempt.shares.clear();
    running?.pending?.attempt.shares.clear();
    running?.pending?.key[Symbol.dispose]();
    running = undefined;
  };

  return {
    supported: target === 'barrier' || !isShamir(seal),
    status,
    start: (request) => turns.run('', () => start(request)),
    update: (submission) => turns.run('', () => update(submission)),
    cancel: (nonce) => {
      if (nonce !== '' && running !== undefined && nonce !== running.attempt.nonce)
        return { refused: 'the nonce is not that of the rekey in progress' };
      forget();
      return undefined;
    },
    verification,
    verify: (submission) => turns.run('', () => verify(submission)),
    restartVerification,
    backup: () => getJson<RekeyBackup>(barrier, backupPath),
    deleteBackup: () => barrier.delete(backupPath),
  };
}

// Behind an HSM nobody holds a share of what is rekeyed, so there is nothing to encrypt, keep or verify.
function refuseForHsm(request: RekeyRequest): Partial<QuorumRefusal> {
  if (request.shares > 1 || request.threshold > 1)
    return {
      refused: 'the root key behind an HSM is not split: secret_shares and secret_threshold must be 1',
    };
  if (request.pgpKeys.length > 0)
    return { refused: 'PGP key encryption not supported when using stored keys' };
  if (request.backup) return { refused: 'key backup not supported when using stored keys' };
  if (request.requireVerification)
    return {
      refused: 'requiring verification not supported when rekeying the barrier key with recovery keys',
    };
  return {};
}

function backupOf({ attempt, split }: Running, keys: readonly Uint8Array[]): RekeyBackup {
  const hex: Record<string, string[]> = {};
  const base64: Record<string, string[]> = {};
  for (const [index, { fingerprint }] of split.custodians.entries()) {
    const key = keys[index];
    if (key === undefined) continue;
    hex[fingerprint] = [...(hex[fingerprint] ?? []), toHex(key)];
    base64[fingerprint] = [...(base64[fingerprint] ?? []), toBase64(key)];
  }
  return { nonce: attempt.nonce, keys: hex, keysBase64: base64 };
}
