/**
 * A ceremony: a plan that people sign, an act on the recovery key of a vault, and evidence of both.
 * Pure: what is known decides the next step; controller.ts does it, acts/ know what each type does.
 *
 * R1  Nothing happens before every person's key was found good.
 * R2  The plan is written down (an immutable ConfigMap of parameters and public keys) before anybody signs, and what
 *     is asked of the engine is what it says. A plan that is not the one people signed is refused.
 * R3  Nothing is asked of the engine before enough approvers signed, and every custodian answered a test message where the
 *     plan asks for it; signatures are checked each time, never remembered as a yes. A key that was swapped between plan and act ends the ceremony.
 * R4  The ceremony cannot disappear between the first call and the last Secret: a finalizer holds it.
 * R5  A share's Secret is created and never overwritten. All of them are durable before the ceremony is committed.
 * R6  What passes through here is public keys, signatures, proofs and OpenPGP messages. What is none of these is not
 *     written anywhere.
 */
export interface Facts {
  readonly finished: boolean;
  readonly deleting: boolean;
  readonly ending: boolean;
  /** The finalizer is there. */
  readonly held: boolean;
  readonly vaultFound: boolean;
  /** `waiting`: a key is missing or bad and can still be put right; `bad`: it stands in the ceremony itself. */
  readonly keys: 'unchecked' | 'good' | 'waiting' | 'bad';
  readonly frozen: boolean;
  /** The plan is the one whose digest was told. */
  readonly intact: boolean;
  readonly consent: boolean;
  /** `unmade`: messages have to be published; `blocked`: they cannot be now; `open`: answers are missing. */
  readonly keyTest: 'passed' | 'unmade' | 'blocked' | 'open';
  /** It was written down that the act begins. */
  readonly started: boolean;
  readonly swapped: 'unchecked' | 'no' | 'unknown' | 'yes';
  readonly act: 'untried' | 'waiting' | 'failed' | 'ended' | 'done';
  readonly witnessed: boolean;
}

export type Step =
  | 'inspect-keys'
  | 'hold'
  | 'freeze'
  | 'test-keys'
  | 'recheck-keys'
  | 'start'
  | 'act'
  | 'complete'
  | 'end'
  | 'fail'
  | 'wait'
  | 'release'
  | 'stop';

/** @returns what to do next, by what is known. */
export function nextStep(facts: Facts): Step {
  if (facts.finished) return facts.held ? 'release' : 'stop';
  if (facts.deleting) {
    if (!facts.held) return 'stop';
    // Without a start the engine was not asked; without a vault nobody can be.
    if (!facts.started || !facts.vaultFound || facts.act === 'ended') return 'release';
  }
  if (facts.ending && !facts.started) return 'end';
  if (!facts.vaultFound) return 'wait';
  if (!facts.frozen) return toFreeze(facts);
  if (!facts.intact) return 'fail';
  if (!facts.held) return 'hold';
  if (!facts.ending) {
    if (facts.keyTest === 'unmade') return 'test-keys';
    if (!facts.consent || facts.keyTest !== 'passed') return 'wait';
  }
  if (!facts.started) return toStart(facts);
  switch (facts.act) {
    case 'untried':
      return 'act';
    case 'waiting':
      return 'wait';
    case 'failed':
      return 'fail';
    case 'ended':
      return 'end';
    case 'done':
      return facts.witnessed || facts.deleting ? 'complete' : 'wait';
  }
}

function toFreeze({ keys, held }: Facts): Step {
  if (keys === 'unchecked') return 'inspect-keys';
  if (keys === 'bad') return 'fail';
  if (keys === 'waiting') return 'wait';
  return held ? 'freeze' : 'hold';
}

function toStart({ swapped }: Facts): Step {
  if (swapped === 'unchecked') return 'recheck-keys';
  if (swapped === 'unknown') return 'wait';
  return swapped === 'yes' ? 'fail' : 'start';
}
