/**
 * What people sign. A statement is a text that can be read aloud: a title, then one `name: value` a line, in a fixed
 * order, each line ended by a line feed. It names the ceremony and the digest of its manifest, so that it is worth
 * nothing in any other ceremony, and nothing once the plan is another.
 */
export interface CeremonyName {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Of the manifest: `sha256:` and 64 hex digits. */
  readonly digest: string;
}

/** Consent of an approver to the plan. */
export function approvalText(ceremony: CeremonyName, person: string): string {
  return statement('SealedVault ceremony approval v1', ceremony, [['approved-by', person]]);
}

/** What a witness saw, over the evidence up to there. */
export function witnessText(
  ceremony: CeremonyName,
  {
    person,
    evidence,
    deviations,
  }: { readonly person: string; readonly evidence: string; readonly deviations: string },
): string {
  return statement('SealedVault ceremony witness v1', ceremony, [
    ['witnessed-by', person],
    ['evidence', evidence],
    ['deviations', deviations === '' ? 'none' : deviations],
  ]);
}

/** What the storage of a share is called when it is lost. */
export const LOST = 'lost';

/** What custodians take on with a share (PCI DSS 3.7.8), in one line. */
const DUTIES =
  'I keep this share apart from the key that decrypts it, show it to nobody, give it to no ceremony that I do not agree to, answer drills, and report its loss or my leaving at once';

/** What a custodian says of a share: that it came, where it is kept, and the duties that come with it; or that it is lost. */
export function receiptText(
  ceremony: CeremonyName,
  {
    custodian,
    sha256,
    storage,
  }: { readonly custodian: string; readonly sha256: string; readonly storage: string },
): string {
  return statement('SealedVault share receipt v1', ceremony, [
    ['custodian', custodian],
    ['share-message-sha256', sha256],
    ['stored', storage],
    ...(storage === LOST ? [] : [['duties', DUTIES] as const]),
  ]);
}

/** That a custodian could decrypt a test message (key-test.ts): what it said, hashed. */
export function keyTestText(
  ceremony: CeremonyName,
  { custodian, answer }: { readonly custodian: string; readonly answer: string },
): string {
  return statement('SealedVault key test answer v1', ceremony, [
    ['custodian', custodian],
    ['answer', answer],
  ]);
}

/** What is signed by the key of a share (share-proof.ts). */
export function possessionText(ceremony: CeremonyName, custodian: string): string {
  return statement('SealedVault share possession v1', ceremony, [['custodian', custodian]]);
}

function statement(
  title: string,
  { namespace, name, uid, digest }: CeremonyName,
  more: readonly (readonly [string, string])[],
): string {
  const lines = [['ceremony', `${namespace}/${name}`], ['uid', uid], ['digest', digest], ...more];
  return [title, ...lines.map(([field = '', value = '']) => `${field}: ${oneLine(value)}`), ''].join('\n');
}

// A line feed in a value would be a line of its own that nobody agreed to.
function oneLine(value: string): string {
  return value.replace(/[\p{C}\u2028\u2029]+/gu, ' ').trim();
}
