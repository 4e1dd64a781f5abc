import {
  approvalText,
  type CeremonyName,
  keyTestText,
  receiptText,
  witnessText,
} from '../../ceremony/statement.ts';

/** What a signed text says, once it is known to be exactly one of the texts that people sign. */
export type Said =
  | { readonly kind: 'approval' }
  | { readonly kind: 'witness'; readonly evidence: string; readonly deviations: string }
  | { readonly kind: 'key test'; readonly answer: string }
  | { readonly kind: 'receipt'; readonly sha256: string; readonly storage: string };

/**
 * Reads a statement back, by making it anew from what it says and comparing: a text with a line more or less is none.
 * @returns undefined when the text is not that of this person in this ceremony
 */
export function readStatement(text: string, ceremony: CeremonyName, person: string): Said | undefined {
  if (text === approvalText(ceremony, person)) return { kind: 'approval' };
  const lines = text.split('\n');
  const field = (name: string): string =>
    lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
  const witnessed = { person, evidence: field('evidence'), deviations: field('deviations') };
  if (text === witnessText(ceremony, witnessed)) return { kind: 'witness', ...witnessed };
  const tested = { custodian: person, answer: field('answer') };
  if (text === keyTestText(ceremony, tested)) return { kind: 'key test', answer: tested.answer };
  const received = {
    custodian: person,
    sha256: field('share-message-sha256'),
    storage: field('stored'),
  };
  if (text === receiptText(ceremony, received)) return { kind: 'receipt', ...received };
  return undefined;
}

/** What the roles of statements are called in evidence. */
export const ROLES: Readonly<Record<Said['kind'], readonly string[]>> = {
  approval: ['Approver'],
  witness: ['Witness'],
  'key test': ['Custodian'],
  receipt: ['Custodian', 'Receipt'],
};
