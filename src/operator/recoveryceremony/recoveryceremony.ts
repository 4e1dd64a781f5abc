/**
 * A ceremony that initializes a vault: every custodian gets a share of the recovery key that only they can read.
 * Pure: what is known decides the next step; controller.ts does it.
 *
 * R1  Nothing happens before every custodian's key was found good.
 * R2  What will be asked of the engine is written down (the frozen request, an immutable ConfigMap of public keys)
 *     before it is asked, and every call asks exactly that under the ceremony's uid. So the engine makes one set of
 *     shares, and gives the same encrypted answer to whoever asks again after a crash.
 * R3  The ceremony cannot disappear between the call and the last Secret: a finalizer holds it.
 * R4  A share's Secret is created and never overwritten. All of them are durable before the ceremony is committed.
 * R5  What passes through here is public keys and OpenPGP messages. What is not one is not written anywhere.
 */
export interface Facts {
  readonly finished: boolean;
  readonly deleting: boolean;
  /** The finalizer is there. */
  readonly held: boolean;
  readonly vaultFound: boolean;
  /** `waiting`: a key is missing or bad and can still be put right; `bad`: it stands in the ceremony itself. */
  readonly keys: 'unchecked' | 'good' | 'waiting' | 'bad';
  readonly frozen: boolean;
  readonly engine:
    | 'unasked'
    | 'answered'
    | 'retry'
    /** Somebody else has initialized the vault. */
    | 'foreign'
    /** It answered with something that is not ciphertext for these custodians. */
    | 'unusable'
    /** Nothing was made, and the ceremony is going away. */
    | 'empty';
  readonly delivery: 'pending' | 'done' | 'conflict';
}

export type Step =
  | 'inspect-keys'
  | 'hold'
  | 'freeze'
  | 'initialize'
  | 'deliver'
  | 'commit'
  | 'fail'
  | 'wait'
  | 'release'
  | 'stop';

/** @returns what to do next, by what is known. */
export function nextStep(facts: Facts): Step {
  if (facts.finished) return facts.held ? 'release' : 'stop';
  if (facts.deleting) {
    if (!facts.held) return 'stop';
    // Without a frozen request the engine was not asked; without a vault nobody can be.
    if (!facts.frozen || !facts.vaultFound || facts.engine === 'empty') return 'release';
  }
  if (!facts.vaultFound) return 'wait';
  if (!facts.frozen) {
    if (facts.keys === 'unchecked') return 'inspect-keys';
    if (facts.keys === 'bad') return 'fail';
    if (facts.keys === 'waiting') return 'wait';
    return facts.held ? 'freeze' : 'hold';
  }
  if (!facts.held) return 'hold';
  switch (facts.engine) {
    case 'unasked':
      return 'initialize';
    case 'retry':
    case 'empty':
      return 'wait';
    case 'foreign':
    case 'unusable':
      return 'fail';
    case 'answered':
      break;
  }
  if (facts.delivery === 'conflict') return 'fail';
  return facts.delivery === 'done' ? 'commit' : 'deliver';
}
