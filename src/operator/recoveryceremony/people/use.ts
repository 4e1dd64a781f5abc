import type { KeyUse } from '../../../ceremony/pgp.ts';
import type { RecoveryCeremony } from '../kind.ts';

/**
 * What the key of somebody is needed for: whoever gets a message decrypts it, everybody else signs. A custodian signs, too,
 * who approves the plan or answers the key test.
 *
 * @param tested whether custodians answer a key test
 */
export function keyUse({ spec }: RecoveryCeremony, name: string, tested: boolean): KeyUse {
  const custodian = spec.custodians.some((each) => each.name === name);
  const receives = custodian || (spec.type === 'GenerateRoot' && spec.requester === name);
  const approves = spec.approvals?.approvers.includes(name) === true;
  return { receives, signs: !receives || approves || (custodian && tested) };
}
