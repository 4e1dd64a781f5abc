import type { Manifest } from './manifest.ts';

/** One part that somebody has in a ceremony. */
export interface Part {
  readonly role: string;
  readonly during: string;
  readonly after: string;
}

const CUSTODIAN: Part = {
  role: 'Custodian',
  during:
    'Compares the digest, answers the key test where there is one, gets one encrypted share, decrypts it alone, proves possession, signs a receipt.',
  after:
    'Keeps the share apart from the key that decrypts it, shows it to nobody, answers drills, reports loss or leaving at once.',
};

const PARTS: Readonly<Record<'approver' | 'witness' | 'requester', Part>> = {
  approver: {
    role: 'Approver',
    during: 'Reads the plan, compares the digest by voice, agrees by a signature or does not.',
    after: 'Answers for having agreed to this plan.',
  },
  witness: {
    role: 'Witness',
    during: 'Watches without taking part, notes deviations, checks the log and signs its end.',
    after: 'Can say what was seen, by the log that was signed.',
  },
  requester: {
    role: 'Requester',
    during: 'Asks for the root token, which is encrypted to their key alone.',
    after: 'Uses the token for what it was asked for only, and has it revoked when that is done.',
  },
};

/** @returns every part of a person; nobody of the plan is without one */
export function partsOf(manifest: Manifest, name: string): readonly Part[] {
  const { custodians, approvals, witnesses, requester } = manifest;
  const parts = [
    ...(custodians.some((each) => each.name === name) ? [CUSTODIAN] : []),
    ...(approvals?.approvers.includes(name) === true ? [PARTS.approver] : []),
    ...(witnesses?.names.includes(name) === true ? [PARTS.witness] : []),
    ...(requester === name ? [PARTS.requester] : []),
  ];
  return parts.length > 0 ? parts : [{ role: 'Named in the plan', during: 'None.', after: 'None.' }];
}
