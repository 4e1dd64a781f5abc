import { CEREMONY_COMMANDS } from './ceremony/options.ts';
import type { Command, Option } from './command.ts';

const config: Option = {
  name: 'config',
  value: 'PATH',
  what: 'a file or folder; may be given several times',
};

const logFlag = (name: string, value: string): Option => ({
  name: `log-${name}`,
  value,
  what: `instead of log_${name.replaceAll('-', '_')} of the configuration`,
});

/** Every command of the program, with the options that it takes and no others. */
export const COMMANDS: readonly Command[] = [
  {
    words: ['server'],
    operands: [],
    what: 'run an engine',
    options: [
      config,
      logFlag('level', 'LEVEL'),
      logFlag('format', 'FORMAT'),
      logFlag('file', 'PATH'),
      logFlag('rotate-bytes', 'BYTES'),
      logFlag('rotate-duration', 'DURATION'),
      logFlag('rotate-max-files', 'COUNT'),
      { name: 'recovery', what: 'serve the raw storage only, to repair what keeps a vault from unsealing' },
      { name: 'dev', what: 'run in memory, for tests only' },
      { name: 'dev-root-token-id', value: 'TOKEN', what: 'the first root token of -dev' },
      { name: 'dev-listen-address', value: 'ADDRESS', what: 'else 127.0.0.1:8200' },
      { name: 'dev-tls', what: 'as -dev, over TLS' },
      { name: 'dev-tls-cert-dir', value: 'FOLDER', what: 'where -dev-tls writes its certificates' },
      { name: 'dev-no-store-token', what: 'do not write the root token to ~/.vault-token' },
    ],
    notes: ['Without -config, BAO_CONFIG_PATH or VAULT_CONFIG_PATH names files and folders.'],
  },
  {
    words: ['controller'],
    operands: [],
    what: 'run the operator',
    options: [],
    notes: ['It is configured by its environment: POD_NAMESPACE and SEALEDVAULT_IMAGE must be set.'],
  },
  {
    words: ['hsm-agent'],
    operands: [],
    what: 'run the HSM agent beside an engine of the same user',
    options: [
      { name: 'config', value: 'FILE', what: 'the configuration of the seal' },
      { name: 'listen', value: 'SOCKET', what: 'where it listens', required: true },
      { name: 'allow-group', what: 'let the group of the agent in as well' },
    ],
  },
  {
    words: ['hsm', 'init-token'],
    operands: [],
    what: 'make a SoftHSM token',
    options: [
      { name: 'lib', value: 'FILE', what: 'the library', required: true },
      { name: 'label', value: 'NAME', what: 'label of the token', required: true },
    ],
    notes: ['The environment holds the PINs: HSM_PIN and HSM_SO_PIN.'],
  },
  {
    words: ['operator', 'generate-root'],
    operands: [],
    what: 'decode a root token that a quorum made',
    options: [
      { name: 'decode', value: 'TOKEN', what: 'the encoded token', required: true },
      { name: 'otp', value: 'PASSWORD', what: 'the one-time password of the generation', required: true },
    ],
  },
  {
    words: ['status'],
    operands: [],
    what: 'show the seal status of a vault',
    options: [
      { name: 'address', value: 'URL', what: 'also BAO_ADDR or VAULT_ADDR; else https://127.0.0.1:8200' },
      { name: 'format', value: 'FORMAT', choices: ['table', 'json'], what: 'table or json' },
    ],
    notes: [
      'BAO_CACERT or VAULT_CACERT names the authority to trust.',
      'Exit codes: 0 unsealed, 2 sealed, 1 failed.',
    ],
  },
  ...CEREMONY_COMMANDS,
  { words: ['version'], operands: [], what: 'print the version', options: [] },
];
