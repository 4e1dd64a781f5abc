import type { Command, Option } from '../command.ts';

const kubeconfig: Option = {
  name: 'kubeconfig',
  value: 'FILE',
  what: 'instead of KUBECONFIG and ~/.kube/config',
};
const context: Option = { name: 'context', value: 'NAME', what: 'context of the kubeconfig' };
const namespace: Option = {
  name: 'namespace',
  short: 'n',
  value: 'NAME',
  what: 'namespace of the ceremony; else that of the context',
};
const CLUSTER: readonly Option[] = [kubeconfig, context, namespace];

const VAULT: readonly Option[] = [
  { name: 'address', value: 'URL', what: 'the vault, https://HOST:PORT; also BAO_ADDR or VAULT_ADDR' },
  { name: 'ca-cert', value: 'FILE', what: 'PEM of its authority; also BAO_CACERT or VAULT_CACERT' },
  {
    name: 'tls-server-name',
    value: 'NAME',
    what: 'the name in its certificate; also VAULT_TLS_SERVER_NAME',
  },
];

/** What every verb takes, as kubectl has options of all its verbs: where cluster and vault are, and whether to ask. */
const COMMON: readonly Option[] = [...CLUSTER, ...VAULT, { name: 'yes', what: 'do not ask' }];

const as = (who: string): Option => ({ name: 'as', value: who, what: 'your name in the plan' });
const key: Option = {
  name: 'key',
  value: 'FINGERPRINT',
  what: 'the key to sign with, when it is not the one in the plan',
};
/** What is signed goes into the cluster, or is carried there in a file. */
const SEND: readonly Option[] = [
  { name: 'out', value: 'FILE', what: 'write what would be sent, for a machine without a network' },
  { name: 'in', value: 'FILE', what: 'send what --out wrote' },
];
const SHARE: readonly Option[] = [
  {
    name: 'share',
    value: 'FILE',
    what: 'your encrypted share; - is standard input, where a decrypted one is taken too',
  },
  { name: 'from', value: 'CEREMONY', what: 'the ceremony whose Secret holds your share' },
];
const KNOWN: readonly Option[] = [
  { name: 'digest', value: 'DIGEST', what: 'the digest of the plan that you wrote down' },
  { name: 'engine-key', value: 'BASE64', what: 'the key of the vault, from an earlier report' },
  { name: 'open', what: 'the ceremony goes on: signatures at its end may be missing' },
];

const verb = (name: string, operand: string, what: string, options: readonly Option[]): Command => ({
  words: ['ceremony', name],
  operands: [operand],
  what,
  options: [...options, ...COMMON],
  notes: [
    operand === 'FILE'
      ? 'FILE is what report wrote.'
      : `NAME is a RecoveryCeremony in the cluster${operand === 'NAME' ? '' : ', FILE what plan --out or report wrote'}.`,
  ],
});

/** What people do in a ceremony. */
export const CEREMONY_COMMANDS: readonly Command[] = [
  verb('plan', 'NAME|FILE', 'show the plan in words, and its digest', [
    { name: 'out', value: 'FILE', what: 'keep the plan, for a machine without a network' },
  ]),
  verb('status', 'NAME', 'show where the ceremony stands, and whom it waits for', []),
  verb('approve', 'NAME|FILE', 'agree to the plan, signed with your OpenPGP key', [
    as('PERSON'),
    key,
    ...SEND,
  ]),
  verb('key-test', 'NAME|FILE', 'decrypt the test message and sign the answer', [
    as('CUSTODIAN'),
    { name: 'message', value: 'FILE', what: 'the test message, as fetch --key-test wrote it' },
    key,
    ...SEND,
  ]),
  verb('fetch', 'NAME', 'get your encrypted share', [
    { name: 'as', value: 'CUSTODIAN', what: 'your name in the plan; not needed with --root-token' },
    { name: 'root-token', what: 'get the root token of the requester instead' },
    { name: 'key-test', what: 'get your test message instead' },
    { name: 'out', value: 'FILE', what: 'write it to a file' },
    { name: 'qr', what: 'draw it in the terminal' },
    { name: 'svg', value: 'FILE', what: 'draw it as an image' },
  ]),
  verb('submit', 'NAME|FILE', 'give your share of today to the vault', [as('CUSTODIAN'), ...SHARE]),
  verb('receipt', 'NAME|FILE', 'say that your new share came, and prove it', [
    as('CUSTODIAN'),
    { name: 'storage', value: 'TEXT', what: 'where the share is kept, or `lost`' },
    { name: 'no-proof', what: 'say only that it came' },
    ...SHARE,
    key,
    ...SEND,
  ]),
  verb('drill', 'NAME|FILE', 'prove that you have your share', [as('CUSTODIAN'), ...SHARE, ...SEND]),
  verb('witness', 'NAME|FILE', 'sign the evidence', [
    as('WITNESS'),
    { name: 'deviations', value: 'TEXT', what: 'what did not go as planned; without it, nothing' },
    key,
    ...SEND,
  ]),
  verb('report', 'NAME|FILE', 'write the evidence as JSON and as a page', [
    { name: 'out', value: 'BASENAME', what: 'of the two files; else NAME-report' },
    ...KNOWN,
  ]),
  verb('verify', 'FILE', 'check a report without a network', KNOWN),
];
