import type { CeremonyContext } from './context.ts';
import { CeremonyFailure } from './failure.ts';
import type { Gpg } from './gpg.ts';
import { type Manifest, type Person, personOf } from './manifest.ts';
import { listed } from './spoken.ts';

/** @throws CeremonyFailure when nobody of this name is allowed to do this in the plan */
export function expectRole(
  manifest: Manifest,
  name: string,
  allowed: readonly string[],
  role: string,
): Person | undefined {
  if (!allowed.includes(name))
    throw new CeremonyFailure(`${name} is no ${role} of this ceremony`, {
      hint: allowed.length === 0 ? 'there are none in this plan' : `they are ${listed(allowed)}`,
    });
  return personOf(manifest, name);
}

/**
 * Shows what will be signed, asks, and lets gpg sign it with the key that the plan has for the person (or --key).
 * @throws CeremonyFailure when the person does not say yes
 */
export async function signAfterAsking(
  { args, terminal }: CeremonyContext,
  gpg: Gpg,
  statement: { readonly text: string; readonly person: Person | undefined; readonly question: string },
): Promise<string> {
  const key = args.get('key') ?? statement.person?.fingerprint ?? '';
  if (key === '') throw new CeremonyFailure('The plan has no key for you', { hint: 'name yours with --key' });
  terminal.note(
    '',
    'This will be signed:',
    ...statement.text
      .trimEnd()
      .split('\n')
      .map((line) => `  ${line}`),
    '',
  );
  await askUnlessYes({ args, terminal }, statement.question);
  return gpg.sign(statement.text, key);
}

/** @throws CeremonyFailure unless the person says yes, or said --yes */
export async function askUnlessYes(
  { args, terminal }: Pick<CeremonyContext, 'args' | 'terminal'>,
  question: string,
): Promise<void> {
  if (args.on('yes') || (await terminal.confirm(question))) return;
  throw new CeremonyFailure('Nothing was done');
}
