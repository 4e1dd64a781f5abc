import { createHash, createPublicKey, verify } from 'node:crypto';
import {
  type EngineStatement,
  engineStatementV1,
  readEngineStatement,
} from '../../ceremony/engine-statement.ts';
import { headOf } from '../../ceremony/evidence.ts';
import { fromBase64, toHex, utf8, view } from '../../lib/bytes.ts';
import { type Finding, type Known, note, right, wrong } from './finding.ts';
import type { Attestation, Evidence } from './evidence-file.ts';

/**
 * Checks the engine's signature over the end of the log, and that what the engine says in it is said of this ceremony: its
 * vault, UID, plan, type, end and time. What an engine of before signed is the end of the log alone.
 * @param abandoned whether the log ends without effect
 */
export function checkAttestation(evidence: Evidence, known: Known, abandoned: boolean): Finding[] {
  const { attestation, entries, plan } = evidence;
  if (attestation === undefined) {
    const text = 'The vault has not signed the end of the log: a change of its last entries would not show.';
    return [known.open ? note(text) : wrong(text)];
  }
  const head = headOf(entries, plan.digest);
  if (attestation.head !== undefined && attestation.head !== head)
    return [
      wrong(
        `The end of the log was changed: the vault signed ${attestation.head}, the log ends with ${head}.`,
      ),
    ];
  const der = fromBase64(attestation.publicKey);
  const signature = fromBase64(attestation.signature);
  const text = attestation.statement ?? engineStatementV1(head);
  if (der === undefined || signature === undefined || !isSigned(der, signature, text))
    return [wrong('The signature of the vault is not one over the end of this log.')];
  if (known.engineKey !== undefined && known.engineKey !== attestation.publicKey)
    return [wrong('The end of the log is signed by another key than the one of the vault that you named.')];
  return [
    ...checkStatement(evidence, attestation, { head, abandoned, key: keyFingerprint(der) }),
    ...(known.engineKey === undefined
      ? [note('Whether this is the key of your vault is for you to know: name it with --engine-key.')]
      : []),
  ];
}

interface Expected {
  readonly head: string;
  readonly abandoned: boolean;
  /** Fingerprint of the engine's key. */
  readonly key: string;
}

function checkStatement(evidence: Evidence, attestation: Attestation, expected: Expected): Finding[] {
  const { statement, engineTime } = attestation;
  if (statement === undefined) {
    const when = engineTime === '' ? '' : ` at ${engineTime}`;
    return [
      right(`The vault signed the end of the log${when}, by the key with the fingerprint ${expected.key}.`),
      note('It signed in the form of earlier engines, which names neither vault, plan, state nor time.'),
    ];
  }
  const said = readEngineStatement(statement);
  if (said === undefined) return [wrong('What the vault signed is not a statement over evidence.')];
  const problems = [
    ...ofAnother(evidence, said, expected.head),
    ...otherEnd(evidence, said, expected.abandoned),
  ];
  if (engineTime !== '' && engineTime !== said.time)
    problems.push(`the time beside it is ${engineTime}, it says ${said.time}`);
  if (problems.length > 0)
    return problems.map((problem) => wrong(`The vault did not sign this ceremony: ${problem}.`));
  const { cluster, type, state, given, proven, custodians, time } = said;
  const proofs = custodians === 0 ? '' : `, and ${proven} of ${custodians} custodians proved their shares`;
  const told =
    state === 'recorded'
      ? 'for it this was a ceremony of people alone'
      : `for it this was a ceremony of the type ${type} that is ${state}: ${given} shares were given${proofs}`;
  return [
    right(
      `The vault signed the end of the log at ${time} as the cluster ${cluster}, by the key with the fingerprint ${expected.key}; ${told}.`,
    ),
    ...(state === 'recorded' && evidence.plan.manifest.type === 'Initialize' && !expected.abandoned
      ? [note('The vault does not say that this ceremony initialized it.')]
      : []),
  ];
}

/** Types of sys/ceremony, by those of plans. What the engine has no part in is on record only. */
const TYPES: Readonly<Record<string, string>> = {
  Initialize: 'initialize',
  RotateRecovery: 'rotate-recovery',
  GenerateRoot: 'generate-root',
  BreakGlass: 'break-glass',
  SealMigration: 'seal-migration',
};

function ofAnother({ plan }: Evidence, said: EngineStatement, head: string): string[] {
  const { ceremony, type, clusterId } = plan.manifest;
  const engineType = TYPES[type];
  const differs: readonly (readonly [boolean, string])[] = [
    [said.uid !== ceremony.uid, `it names the ceremony ${said.uid}`],
    [said.digest !== plan.digest, `it names the plan ${said.digest}`],
    [said.evidence !== head, `it names the end ${said.evidence}`],
    [said.type !== 'record' && said.type !== engineType, `it names the type ${said.type}`],
    [clusterId !== '' && said.cluster !== clusterId, `it is of the vault ${said.cluster}`],
    [Number.isNaN(Date.parse(said.time)), 'it has no time'],
  ];
  return differs.flatMap(([is, problem]) => (is ? [problem] : []));
}

function otherEnd({ plan, entries }: Evidence, said: EngineStatement, abandoned: boolean): string[] {
  const { type } = plan.manifest;
  const committed = entries.some(({ step }) => step === 'committed');
  const last = entries.at(-1);
  const problems: string[] = [];
  if (abandoned && said.state === 'committed') problems.push('it says that the ceremony had its effect');
  if (committed && !(said.state === 'committed' || (said.state === 'recorded' && isWithoutEngine(type))))
    problems.push(`it says that the ceremony is ${said.state}`);
  if ((said.state === 'recorded') !== (said.type === 'record'))
    problems.push('its state is not one of its type');
  if (said.proven < said.custodians && said.state === 'committed' && said.type !== 'initialize')
    problems.push('it says that not every custodian proved their share');
  if (last !== undefined && Date.parse(said.time) + CLOCKS_MS < Date.parse(last.time))
    problems.push(`it was signed at ${said.time}, before the last entry`);
  return problems;
}

// Operator and engine have clocks of their own.
const CLOCKS_MS = 3_600_000;

function isWithoutEngine(type: string): boolean {
  return type === 'Drill' || type === 'Initialize';
}

function isSigned(der: Uint8Array, signature: Uint8Array, text: string): boolean {
  try {
    const key = createPublicKey({ key: view(der), format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' && verify(null, utf8(text), key, signature);
  } catch {
    return false;
  }
}

/** SHA-256 of a key in SPKI, in groups of four. */
function keyFingerprint(der: Uint8Array): string {
  const digest = toHex(createHash('sha256').update(der).digest());
  return (digest.match(/.{4}/g) ?? []).join(' ');
}
