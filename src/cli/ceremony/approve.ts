import { approvalText } from '../../ceremony/statement.ts';
import { type CeremonyContext, oneWord, required } from './context.ts';
import { personsGpg } from './gpg.ts';
import { send, sendFile } from './outbox.ts';
import { expectRole, signAfterAsking } from './sign.ts';
import { loadSource } from './source.ts';
import { describePlan } from './words.ts';

/** `approve NAME|FILE --as PERSON`: consent to the plan, signed by the person's own key. */
export async function approve(context: CeremonyContext): Promise<number> {
  const { args, env, terminal } = context;
  const carried = args.get('in');
  if (carried !== undefined) {
    await sendFile(context, carried, 'CeremonyApproval');
    return 0;
  }
  const word = oneWord(context, 'ceremony, or file with a manifest,');
  const name = required(context, 'as', 'your name in the plan');
  const source = await loadSource(context, word);
  const { manifest, digest } = source;
  const person = expectRole(manifest, name, manifest.approvals?.approvers ?? [], 'approver');
  terminal.note(...describePlan(source));
  const text = approvalText(source.name, name);
  const signature = await signAfterAsking(context, personsGpg(env), {
    text,
    person,
    question: 'Do you agree to this plan, and did you compare the digest?',
  });
  const { ceremony } = manifest;
  await send(context, {
    kind: 'CeremonyApproval',
    name: `${ceremony.name}-approval-${name}`,
    namespace: ceremony.namespace,
    spec: { ceremonyRef: { name: ceremony.name }, person: name, role: 'Approver', digest, signature },
  });
  return 0;
}
