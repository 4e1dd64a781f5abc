import { blocks, names, parseHcl, scalarText, attribute } from '../../lib/hcl/hcl.ts';
import type { HclBody } from '../../lib/hcl/tree.ts';
import { SealedVaultError } from '../../lib/errors.ts';

/** Passwords of a length, with so many characters at least of each set. */
export interface PasswordPolicy {
  readonly length: number;
  readonly rules: readonly CharsetRule[];
}

export interface CharsetRule {
  readonly charset: readonly string[];
  readonly minChars: number;
}

/** Bytes without a bias. */
export type RandomBytes = (length: number) => Uint8Array;

const MAX_LENGTH = 1000;
const MAX_ATTEMPTS = 10_000;
/** Characters that are looked at for one password at most: each rule looks at all of each attempt. */
const MAX_WORK = 5_000_000;
const MAX_RULES = 100;
/** As two random bytes choose among them without much waste. */
const MAX_CHARACTERS = 10_000;

/** A policy that cannot be used. The message names what is wrong. */
export class PasswordPolicyInvalid {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** Reads `length` and any number of `rule "charset"` blocks. */
export function parsePasswordPolicy(text: string): PasswordPolicy | PasswordPolicyInvalid {
  let body: HclBody;
  try {
    body = parseHcl(text);
  } catch (error) {
    if (error instanceof SealedVaultError) return invalid(error.message);
    throw error;
  }
  const unknown = names(body).find((name) => name !== 'length' && name !== 'rule');
  if (unknown !== undefined) return invalid(`unrecognized configuration: ${unknown}`);
  const length = whole(body, 'length');
  if (length === undefined || length < 1) return invalid('length must be > 0');
  const rules: CharsetRule[] = [];
  if (blocks(body, 'rule').length > MAX_RULES) return invalid(`more than ${MAX_RULES} rules`);
  for (const block of blocks(body, 'rule')) {
    const rule = readRule(block.labels[0] ?? '', block.body);
    if (rule instanceof PasswordPolicyInvalid) return rule;
    rules.push(rule);
  }
  const least = rules.reduce((sum, rule) => sum + rule.minChars, 0);
  if (length < Math.max(4, least))
    return invalid(
      least > length
        ? `specified rules require at least ${least} characters but ${length} is specified`
        : 'length must be at least 4',
    );
  if (length > MAX_LENGTH) return invalid(`length must not be more than ${MAX_LENGTH}`);
  if (rules.length === 0) return invalid('no charset specified');
  const { length: characters } = alphabet(rules);
  if (characters < 2) return invalid('the charsets must have at least two different characters');
  if (characters > MAX_CHARACTERS)
    return invalid(`the charsets must not have more than ${MAX_CHARACTERS} different characters`);
  return { length, rules };
}

function readRule(type: string, body: HclBody): CharsetRule | PasswordPolicyInvalid {
  if (type !== 'charset') return invalid(`unrecognized rule type ${type}`);
  const unknown = names(body).find(
    (name) => name !== 'charset' && name !== 'min-chars' && name !== 'min_chars',
  );
  if (unknown !== undefined) return invalid(`unrecognized configuration: ${unknown}`);
  const item = attribute(body, 'charset');
  const charset = item === undefined ? '' : (scalarText(item.value) ?? '');
  if (charset === '') return invalid('unable to parse rule: charset cannot be empty');
  if (/[^\P{C}]/u.test(charset)) return invalid('unable to parse rule: non-printable character in charset');
  const given = attribute(body, 'min-chars') === undefined ? 'min_chars' : 'min-chars';
  const minChars = attribute(body, given) === undefined ? 0 : whole(body, given);
  if (minChars === undefined) return invalid('unable to parse rule: min-chars must be a whole number');
  return { charset: [...new Set(charset)], minChars: Math.max(minChars, 0) };
}

/**
 * Draws every character from all sets together and begins again when a rule is not met, so that no password that the
 * rules allow is more likely than another.
 * @returns undefined when the rules are met too seldom
 */
export function generatePassword(policy: PasswordPolicy, random: RandomBytes): string | undefined {
  const characters = alphabet(policy.rules);
  const sets = policy.rules.map((rule) => ({ set: new Set(rule.charset), minChars: rule.minChars }));
  const attempts = Math.min(MAX_ATTEMPTS, MAX_WORK / (policy.length * (1 + sets.length)));
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const drawn = draw(characters, policy.length, random);
    const met = sets.every(({ set, minChars }) => drawn.filter((each) => set.has(each)).length >= minChars);
    if (met) return drawn.join('');
  }
  return undefined;
}

function draw(characters: readonly string[], length: number, random: RandomBytes): string[] {
  const limit = Math.floor(65_536 / characters.length) * characters.length;
  const drawn: string[] = [];
  while (drawn.length < length) {
    const bytes = random(length * 2);
    for (let index = 0; index + 1 < bytes.length && drawn.length < length; index += 2) {
      const value = (bytes[index] ?? 0) * 256 + (bytes[index + 1] ?? 0);
      // Above the largest multiple, the first characters would be likelier than the last.
      if (value < limit) drawn.push(characters[value % characters.length] ?? '');
    }
  }
  return drawn;
}

function alphabet(rules: readonly CharsetRule[]): string[] {
  return [...new Set(rules.flatMap((rule) => rule.charset))].toSorted();
}

function whole(body: HclBody, name: string): number | undefined {
  const item = attribute(body, name);
  const text = item === undefined ? undefined : scalarText(item.value);
  return text !== undefined && /^-?\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function invalid(message: string): PasswordPolicyInvalid {
  return new PasswordPolicyInvalid(message);
}
