import { commitmentTo } from '../../ceremony/key-test.ts';
import { checkSignature } from '../../ceremony/pgp-signature.ts';
import { type Finding, type Known, note, right, wrong } from './finding.ts';
import type { Evidence, Statement } from './evidence-file.ts';
import { personOf } from './manifest.ts';
import { ROLES, readStatement, type Said } from './said.ts';
import { listed } from './spoken.ts';

const SLACK_MS = 15 * 60_000;
const STEPS: Readonly<Record<string, Said['kind']>> = {
  approved: 'approval',
  witnessed: 'witness',
  'key-tested': 'key test',
  received: 'receipt',
  'reported-lost': 'receipt',
};

/** Checks what people signed, and that enough of the right ones did. */
export async function checkStatements(
  evidence: Evidence,
  heads: readonly string[],
  { open }: Known,
): Promise<Finding[]> {
  const { approvals, witnesses, keyTest, custodians } = evidence.plan.manifest;
  const found: Finding[] = [];
  const good: Record<Said['kind'], Set<string>> = {
    approval: new Set(),
    witness: new Set(),
    'key test': new Set(),
    receipt: new Set(),
  };
  for (const statement of evidence.statements) {
    const { person } = statement;
    const said = readStatement(statement.text, evidence.plan.name, person);
    if (said === undefined) {
      found.push(
        wrong(`What ${person} signed is not a statement of theirs about this plan: ${titleOf(statement)}.`),
      );
      continue;
    }
    const problem = (await problemOf(evidence, statement, said)) ?? beyond(person, said, heads, evidence);
    if (problem === undefined) {
      good[said.kind].add(person);
      found.push(right(`${person} signed ${phrase(said)}.`));
    } else found.push(wrong(`The ${said.kind} of ${person} does not count: ${problem}.`));
  }
  for (const { step, who, number } of evidence.entries) {
    const kind = STEPS[step];
    if (kind !== undefined && !good[kind].has(who))
      found.push(
        wrong(`Entry ${number} says that ${who} ${step}, but there is no valid signature of ${who}.`),
      );
  }
  const enough = (word: string, have: Set<string>, names: readonly string[], required: number): void => {
    const count = names.filter((name) => have.has(name)).length;
    if (count >= required) return;
    const text = `${count} of ${required} required ${word} are there; ${listed(names, 'or')} could give them.`;
    found.push(open ? note(text) : wrong(text));
  };
  if (approvals !== undefined) enough('approvals', good.approval, approvals.approvers, approvals.required);
  if (witnesses !== undefined) enough('witnesses', good.witness, witnesses.names, witnesses.required);
  const tested = keyTest === undefined ? [] : custodians.map(({ name }) => name);
  enough('answers to the key test', good['key test'], tested, tested.length);
  return found;
}

async function problemOf(
  evidence: Evidence,
  { person, role, text, signature, publicKey }: Statement,
  said: Said,
): Promise<string | undefined> {
  const { manifest } = evidence.plan;
  const allowed: Record<Said['kind'], readonly string[]> = {
    approval: manifest.approvals?.approvers ?? [],
    witness: manifest.witnesses?.names ?? [],
    'key test': manifest.custodians.map(({ name }) => name),
    receipt: manifest.custodians.map(({ name }) => name),
  };
  if (!ROLES[said.kind].includes(role)) return `it is filed under the role ${role}`;
  if (!allowed[said.kind].includes(person)) return 'the plan does not give them this part';
  const planned = personOf(manifest, person)?.publicKey ?? '';
  if (planned === '') return 'the plan has no key of theirs';
  if (bare(planned) !== bare(publicKey)) return 'it comes with another key than the one in the plan';
  let last = 'it has no time';
  for (const moment of momentsOf(evidence, person)) {
    const checked = await checkSignature(text, signature, planned, moment);
    if (checked.ok) return undefined;
    last = checked.message;
  }
  return last;
}

// Keys may expire between the ceremony and this look at it, so they are judged at the time of what the person did.
function momentsOf({ entries }: Evidence, person: string): Date[] {
  const own = entries.filter(({ who }) => who === person).map(({ time }) => time);
  const last = entries.at(-1)?.time;
  return [...new Set([...own, ...(last === undefined ? [] : [last])])]
    .map((time) => new Date(Date.parse(time) + SLACK_MS))
    .filter((moment) => !Number.isNaN(+moment));
}

function beyond(
  person: string,
  said: Said,
  heads: readonly string[],
  { entries, plan }: Evidence,
): string | undefined {
  if (said.kind === 'key test') {
    const right = commitmentTo(plan.name, person, said.answer);
    const asked = entries.some(({ step, facts }) => step === 'key-test' && facts[person] === right);
    return asked ? undefined : 'it is not the answer to a message that the log knows';
  }
  if (said.kind !== 'witness') return undefined;
  if (!heads.includes(said.evidence))
    return 'the log that they saw is not this one: an entry was changed since';
  return entries.length === 0 ? 'there is no log' : undefined;
}

function phrase(said: Said): string {
  switch (said.kind) {
    case 'approval':
      return 'the plan';
    case 'witness':
      return `as a witness, with the deviations: ${said.deviations}`;
    case 'key test':
      return 'the answer to the test message, which their key decrypted';
    case 'receipt':
      return `the receipt of a share, stored: ${said.storage}`;
  }
}

function titleOf({ text }: Statement): string {
  return (text.split('\n')[0] ?? '').slice(0, 80);
}

function bare(key: string): string {
  return key.replace(/\s+/g, '');
}
