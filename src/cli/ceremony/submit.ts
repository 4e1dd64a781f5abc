import { toHex } from '../../lib/bytes.ts';
import { type CeremonyContext, oneWord, required } from './context.ts';
import { CeremonyFailure } from './failure.ts';
import { engineOf } from './engine.ts';
import { personsGpg } from './gpg.ts';
import { encryptedShare, openShare } from './share.ts';
import { askUnlessYes } from './sign.ts';
import { loadSource, textAt } from './source.ts';
import { listed, spokenBlock } from './spoken.ts';

/**
 * `submit NAME|FILE --as CUSTODIAN`: gives the person's share of today to the engine, straight over TLS, for one plan. The
 * share is decrypted only when the engine, the cluster and the person agree on what it is given for.
 */
export async function submit(context: CeremonyContext): Promise<number> {
  const { args, env, terminal } = context;
  const word = oneWord(context, 'ceremony, or file with a manifest,');
  const custodian = required(context, 'as', 'your name as a custodian of today');
  const engine = engineOf(context);
  const { digest, manifest, cluster, status } = await loadSource(context, word);
  const { uid } = manifest.ceremony;
  const message = await encryptedShare(context, { custodian, ceremony: undefined, cluster });
  const seen = await engine.status(uid);
  if (seen.digest !== digest)
    throw new CeremonyFailure('The vault is asked to do something else than this plan', {
      hint: `its digest is ${seen.digest}, that of the plan is ${digest}: give no share, and tell the others`,
    });
  if (seen.state !== 'collecting') throw notCollecting(seen.state);
  const known = textAt(status, 'nonce');
  if (known !== undefined && known !== '' && known !== seen.nonce)
    throw new CeremonyFailure('The nonce of the vault is not the one that the cluster shows', {
      hint: 'the vault may have just restarted: wait a minute and try again; if it stays so, give no share, and tell the others',
    });
  terminal.note(
    `Ceremony ${manifest.ceremony.namespace}/${manifest.ceremony.name}, type ${manifest.type}`,
    `Vault at ${engine.address}`,
    `${seen.progress} of ${seen.threshold} shares were given${seen.submitted.length === 0 ? '' : `, by ${listed(seen.submitted)}`}.`,
    '',
    ...spokenBlock('Digest, the same for everybody', digest),
    ...spokenBlock('Nonce, the same for everybody until the vault restarts', seen.nonce),
    '',
  );
  await askUnlessYes({ args, terminal }, 'Did you compare digest and nonce with the others by voice?');
  using share = await openShare(personsGpg(env), message, args.get('share') === '-');
  const key = share.borrow(toHex);
  const after = await engine.submit(uid, { nonce: seen.nonce, digest, key });
  terminal.print(
    after.state === 'collecting'
      ? `Your share was taken. ${after.progress} of ${after.threshold} were given.`
      : 'Your share was taken, and it was the last one that was needed.',
  );
  if (after.state === 'proving')
    terminal.note('New shares were made. Their custodians now fetch them, and send a receipt with a proof.');
  return 0;
}

function notCollecting(state: string): CeremonyFailure {
  const hints: Readonly<Record<string, string>> = {
    proving: 'the quorum was reached; new custodians now use receipt, which sends their proof',
    committed: 'the quorum was reached, and everything is done',
    cancelled: 'it was cancelled',
  };
  return new CeremonyFailure('This ceremony takes no shares now', {
    hint: hints[state] ?? 'look at ceremony status',
  });
}
