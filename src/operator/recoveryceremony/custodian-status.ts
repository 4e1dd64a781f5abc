import { isoSeconds } from '../sealedvault/status.ts';
import type { Message } from './messages.ts';
import type { CustodianStatus, Delivery, RecoveryCeremonyStatus } from './spec.ts';
import type { Progress } from './status.ts';

/** What a status says of one custodian: their key, their share, and what they did with it. */
export function custodianStatus(
  name: string,
  { findings, warnings, manifest, act, received, keyTest }: Progress,
  status: RecoveryCeremonyStatus | undefined,
): CustodianStatus {
  const before = status?.custodians?.find((each) => each.name === name);
  const frozen = manifest?.custodians?.find((each) => each.name === name);
  const finding = findings.find((each) => each.name === name);
  const message = act?.messages?.find((each) => each.kind === 'share' && each.custodian.name === name);
  const expires = frozen?.expires ?? finding?.key?.expires?.toISOString();
  const receipt = received.get(name) ?? before?.receipt;
  const tested =
    keyTest === undefined ? before?.keyTest : keyTest.answered.has(name) ? 'Answered' : 'Pending';
  const proven = act?.proven?.has(name) === true || before?.proven === true;
  return {
    name,
    ...present('fingerprint', frozen?.fingerprint ?? finding?.key?.fingerprint),
    ...present('encryptionKey', frozen?.encryptionKey ?? finding?.key?.encryptionKeyFingerprint),
    ...present('algorithm', frozen?.algorithm ?? finding?.key?.algorithm),
    ...present('expires', expires === undefined ? undefined : isoSeconds(Date.parse(expires))),
    ...present('problem', finding?.problem),
    ...present('warning', warnings.get(name) ?? before?.warning),
    ...present('keyTest', tested),
    ...(manifest?.type === 'Drill' ? {} : deliveryOf(message, act?.delivered, before)),
    ...(receipt === undefined ? {} : { receipt }),
    ...(proven ? { proven } : {}),
  };
}

/** What a status says of a message; what it once said stays when this look did not see the message. */
export function deliveryOf(
  message: Message | undefined,
  delivered: ReadonlySet<string> | undefined,
  before: Delivery | undefined,
): Delivery {
  if (message === undefined) {
    const { delivery: state = 'Pending', secretName, sha256 } = before ?? {};
    return { delivery: state, ...present('secretName', secretName), ...present('sha256', sha256) };
  }
  const { secretName, sha256 } = message;
  return { delivery: delivered?.has(secretName) === true ? 'Delivered' : 'Pending', secretName, sha256 };
}

function present(name: string, value: string | undefined): object {
  return value === undefined || value === '' ? {} : { [name]: value };
}
