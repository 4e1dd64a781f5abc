import { commitmentTo } from '../../../ceremony/key-test.ts';
import { checkSignature } from '../../../ceremony/pgp-signature.ts';
import { keyTestText } from '../../../ceremony/statement.ts';
import { type Judged, notTheUser } from '../approvals/judge.ts';
import type { Bundle } from '../evidence/bundle.ts';
import { signedBy } from '../people/moment.ts';
import { ceremonyName } from '../plan/manifest.ts';
import type { ShareReceipt } from '../receipts/kind.ts';
import { accept, refuse } from '../verdict.ts';

/** Whether an answer to a test message counts: it is right, and the custodian of the plan signed it. */
export async function judgeAnswer({ spec }: ShareReceipt, bundle: Bundle, now: Date): Promise<Judged> {
  const { manifest } = bundle;
  const ceremony = ceremonyName(manifest);
  const { custodian: name, signature = '' } = spec;
  const answer = spec.keyTest?.answer ?? '';
  const no = (message: string): Judged => ({ verdict: refuse(message) });
  if (spec.digest !== ceremony.digest)
    return no('It is for another plan: compare the digest with status.manifestDigest of the ceremony.');
  if (manifest.keyTest === undefined) return no('This ceremony asks for no key test.');
  const person = manifest.custodians?.find((each) => each.name === name);
  if (person === undefined) return no('Nobody of this name gets a share in this ceremony.');
  const stranger = notTheUser(person, spec.username);
  if (stranger !== undefined) return no(stranger);
  if (!isRight(bundle, name, answer))
    return no('The answer is wrong: it is not that to the test message of this ceremony for this custodian.');
  const text = keyTestText(ceremony, { custodian: name, answer });
  const found = await checkSignature(text, signature, person.publicKey, now);
  if (!found.ok) return no(`The signature does not count: ${found.message}.`);
  return {
    verdict: accept(`The key of ${name} can decrypt and sign.`),
    statement: { person: name, role: 'Custodian', text, signature, publicKey: person.publicKey },
    fingerprint: found.keyFingerprint,
  };
}

/**
 * Whose answers in the evidence count, by their signatures and not by what the log says. They are judged at the time of the
 * answer: whether a key is still good is asked again before the act begins.
 *
 * @returns names of custodians
 */
export async function answeredOf(bundle: Bundle): Promise<ReadonlySet<string>> {
  const { manifest, statements, entries } = bundle;
  const ceremony = ceremonyName(manifest);
  const names = new Set<string>();
  for (const { step, who, facts, time } of entries) {
    const person = manifest.custodians?.find(({ name }) => name === who);
    const { answer = '' } = facts;
    if (step !== 'key-tested' || person === undefined || !isRight(bundle, who, answer)) continue;
    const wanted = keyTestText(ceremony, { custodian: who, answer });
    const said = statements.find((each) => each.person === who && each.text === wanted);
    const moment = signedBy(Date.parse(time));
    if (said !== undefined && (await checkSignature(wanted, said.signature, person.publicKey, moment)).ok)
      names.add(who);
  }
  return names;
}

function isRight({ manifest, entries }: Bundle, custodian: string, answer: string): boolean {
  const commitment = commitmentTo(ceremonyName(manifest), custodian, answer);
  return entries.some(({ step, facts }) => step === 'key-test' && facts[custodian] === commitment);
}
