/**
 * What the engine signs at the end of a ceremony, as a text that can be read aloud: which vault it is, which ceremony and
 * plan, where the ceremony stands in the engine, the end of the log and the time.
 */
export interface EngineStatement {
  /** UUID of the vault. */
  readonly cluster: string;
  /** UID of the ceremony. */
  readonly uid: string;
  /** Of the plan: `sha256:` and 64 hex digits. */
  readonly digest: string;
  /** As the engine has it: `initialize`, or one of sys/ceremony. */
  readonly type: string;
  readonly state: string;
  /** Shares of the quorum that were given. */
  readonly given: number;
  /** Custodians who proved their new share. */
  readonly proven: number;
  /** Custodians of the plan. */
  readonly custodians: number;
  /** Digest of the last entry of the log. */
  readonly evidence: string;
  /** ISO 8601, UTC, by the engine's clock. */
  readonly time: string;
}

const TITLE = 'SealedVault evidence v2';

export function engineStatementText(said: EngineStatement): string {
  return [
    TITLE,
    `cluster: ${said.cluster}`,
    `uid: ${said.uid}`,
    `digest: ${said.digest}`,
    `type: ${said.type}`,
    `state: ${said.state}`,
    `shares-given: ${said.given}`,
    `proved: ${said.proven}/${said.custodians}`,
    `evidence: ${said.evidence}`,
    `time: ${said.time}`,
    '',
  ].join('\n');
}

/** @returns undefined for a text that is not exactly a statement of the engine */
export function readEngineStatement(text: string): EngineStatement | undefined {
  const lines = text.split('\n');
  const value = (at: number): string => lines[at]?.replace(/^[a-z-]+: /, '') ?? '';
  const [proven = '', custodians = ''] = value(7).split('/');
  const said: EngineStatement = {
    cluster: value(1),
    uid: value(2),
    digest: value(3),
    type: value(4),
    state: value(5),
    given: Number(value(6)),
    proven: Number(proven),
    custodians: Number(custodians),
    evidence: value(8),
    time: value(9),
  };
  return engineStatementText(said) === text ? said : undefined;
}

/** What engines signed before: the end of the log, and nothing of the vault. Evidence that has it stays good. */
export function engineStatementV1(evidence: string): string {
  return `SealedVault evidence v1\n${evidence}\n`;
}
