import { checkSignature } from '../../../ceremony/pgp-signature.ts';
import { isShareProof } from '../../../ceremony/share-proof.ts';
import { LOST, possessionText, receiptText } from '../../../ceremony/statement.ts';
import { notTheUser } from '../approvals/judge.ts';
import type { Proof, Statement } from '../evidence/bundle.ts';
import { ceremonyName, type Manifest, personOf } from '../plan/manifest.ts';
import { accept, refuse, type Verdict } from '../verdict.ts';
import { type ShareReceipt } from './kind.ts';

/** What a receipt is worth; undefined while it cannot be told yet. */
export interface JudgedReceipt {
  readonly verdict: Verdict;
  readonly statement?: Statement;
  readonly proof?: Proof;
  readonly lost?: boolean;
}

/** Says whether a proof is that of the custodian's own share; undefined while nobody can tell. */
export type Prover = (
  custodian: string,
  text: string,
  proof: string,
) => Promise<{ readonly verdict: Verdict; readonly proofKey: string } | undefined>;

/** What receipts are compared with. */
export interface ReceiptWorld {
  readonly manifest: Manifest;
  /** SHA-256 of the message that each custodian got. */
  readonly sent: ReadonlyMap<string, string>;
  readonly prove: Prover;
}

export async function judgeReceipt(
  { spec }: ShareReceipt,
  world: ReceiptWorld,
  now: Date,
): Promise<JudgedReceipt | undefined> {
  const { manifest } = world;
  const ceremony = ceremonyName(manifest);
  const { custodian: name } = spec;
  const no = (message: string): JudgedReceipt => ({ verdict: refuse(message) });
  if (spec.digest !== ceremony.digest)
    return no('It is for another plan: compare the digest with status.manifestDigest of the ceremony.');
  if (!custodiansOf(manifest).includes(name)) return no('Nobody of this name has a share in this ceremony.');
  const person = personOf(manifest, name);
  const stranger = person === undefined ? undefined : notTheUser(person, spec.username);
  if (stranger !== undefined) return no(stranger);
  const lost = spec.storage === LOST;
  if (lost && spec.signature === undefined)
    return no('The report of a loss must be signed with the key of the custodian.');
  const statement = await signed(spec, world, now);
  if (statement === LATER) return undefined;
  if (typeof statement === 'string') return no(statement);
  if (spec.proof === undefined || lost)
    return {
      verdict: accept(lost ? 'The loss is recorded.' : 'The receipt is that of the custodian.'),
      ...(statement === undefined ? {} : { statement }),
      lost,
    };
  const text = possessionText(ceremony, name);
  const proven = await world.prove(name, text, spec.proof);
  if (proven === undefined) return undefined;
  if (!proven.verdict.accepted) return { verdict: proven.verdict };
  const proof = { custodian: name, text, proof: spec.proof, proofKey: proven.proofKey };
  return { verdict: proven.verdict, ...(statement === undefined ? {} : { statement }), proof };
}

/** Checks proofs with the keys of shares that the engine told. */
export function proverWith(proofKeys: ReadonlyMap<string, string>): Prover {
  return async (custodian, text, proof) => {
    const proofKey = proofKeys.get(custodian);
    if (proofKey === undefined || proofKey === '')
      return { verdict: refuse('The vault knows no share of this custodian.'), proofKey: '' };
    if (!isShareProof(proofKey, text, proof))
      return {
        verdict: refuse(
          'The proof was not made with this custodian’s share that is in force, for this ceremony.',
        ),
        proofKey,
      };
    return { verdict: accept('The custodian has the share that is in force.'), proofKey };
  };
}

/** @returns who answers in a ceremony: those who get shares, or in a drill those who have them */
export function custodiansOf({ custodians = [] }: Manifest): readonly string[] {
  return custodians.map(({ name }) => name);
}

// No refusal, but the message is not there yet.
const LATER = '';

async function signed(
  spec: ShareReceipt['spec'],
  { manifest, sent }: ReceiptWorld,
  now: Date,
): Promise<Statement | string | undefined> {
  const { signature, custodian, sha256 = '', storage = '' } = spec;
  if (signature === undefined) return undefined;
  const person = personOf(manifest, custodian);
  if (person === undefined || person.publicKey === '')
    return 'The plan has no key of this custodian: name them under people, or send the proof alone.';
  if (storage !== LOST && manifest.type !== 'Drill') {
    const message = sent.get(custodian);
    if (message === undefined) return LATER;
    if (message !== sha256)
      return 'sha256 is not that of the message for this custodian: it is another’s, or was changed.';
  }
  const text = receiptText(ceremonyName(manifest), { custodian, sha256, storage });
  const found = await checkSignature(text, signature, person.publicKey, now);
  if (!found.ok) return `The signature does not count: ${found.message}.`;
  return { person: custodian, role: 'Custodian', text, signature, publicKey: person.publicKey };
}
