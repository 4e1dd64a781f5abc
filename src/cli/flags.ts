import type { Arguments } from './arguments.ts';
import { CEREMONY_SWITCHES } from './ceremony/ceremony.ts';

/** Flags of one verb, by their names. */
interface Flags {
  /** Flags that take a value. */
  readonly values: readonly string[];
  /** Flags that are on or off. */
  readonly switches: readonly string[];
  /** How many words may follow the verb; any number when undefined. */
  readonly words?: number;
}

/** Every flag that a verb knows: nothing else is accepted. */
export const FLAGS: Readonly<Record<string, Flags>> = {
  server: {
    values: [
      'config',
      'log-level',
      'log-format',
      'log-file',
      'log-rotate-bytes',
      'log-rotate-duration',
      'log-rotate-max-files',
      'dev-root-token-id',
      'dev-listen-address',
      'dev-tls-cert-dir',
    ],
    switches: ['dev', 'dev-tls', 'dev-no-store-token', 'recovery'],
    words: 0,
  },
  controller: { values: [], switches: [], words: 0 },
  'hsm-agent': { values: ['config', 'listen'], switches: ['allow-group'], words: 0 },
  hsm: { values: ['lib', 'label'], switches: [], words: 1 },
  operator: { values: ['decode', 'otp'], switches: [], words: 1 },
  status: { values: ['address', 'format'], switches: [], words: 0 },
  ceremony: {
    values:
      'as message out in key share from deviations svg digest engine-key storage kubeconfig context namespace n address ca-cert tls-server-name'.split(
        ' ',
      ),
    switches: CEREMONY_SWITCHES,
  },
  version: { values: [], switches: [], words: 0 },
};

/** Flags of all verbs that take no value from the word after them. */
export const SWITCHES: readonly string[] = [
  'version',
  'v',
  'help',
  'h',
  ...Object.values(FLAGS).flatMap(({ switches }) => switches),
];

const BOOLEAN = ['', 'true', '1', 't', 'false', '0', 'f'];

/** @returns what is wrong with the command line of a verb, as a sentence; undefined when it is right */
export function flagFault(options: Arguments): string | undefined {
  const [verb = '', ...words] = options.words;
  const known = Object.hasOwn(FLAGS, verb) ? FLAGS[verb] : undefined;
  if (known === undefined) return undefined;
  for (const name of options.names) {
    if (known.switches.includes(name)) {
      if (!BOOLEAN.includes((options.get(name) ?? '').toLowerCase()))
        return `invalid boolean value for flag -${name}: it is true or false`;
    } else if (!known.values.includes(name)) return `flag provided but not defined: -${name}`;
    else if (options.get(name) === '') return `flag needs an argument: -${name}`;
  }
  return known.words !== undefined && words.length > known.words
    ? `too many arguments: ${verb} takes ${known.words === 0 ? 'none' : known.words}`
    : undefined;
}
