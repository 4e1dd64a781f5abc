import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { parseCommandLine } from '../../../src/cli/parse.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const every = COMMANDS.flatMap(({ options }) => options);
const names = [...new Set(every.map(({ name }) => name))];

function sealedvault(args: readonly string[], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'src/main.ts'), ...args], {
    encoding: 'utf8',
    env,
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

const commands = COMMANDS.map((command) => ({ ...command, verb: command.words.join(' ') }));

describe.each(commands)('$verb', ({ words, options, operands }) => {
  const needed = options.flatMap(({ name, required }) => (required ? [`-${name}=x`] : []));
  const operand = operands.map(() => 'x');
  const parse = (...more: string[]) => parseCommandLine([...words, ...operand, ...needed, ...more]);

  test('is run with what it needs', () => {
    expect(parse()).toMatchObject({ kind: 'run', words, operands: operand });
  });

  test('refuses every option that it does not have, by name, however it is written', () => {
    const own = options.map(({ name }) => name);
    const misspelt = names
      .map((name) => name.replace(/(.)(?=.$)/, ''))
      .filter((name) => !names.includes(name));
    const strangers = [...names, ...misspelt, 'constructor', '__proto__', 'toString', 'x'].filter(
      (name) => !own.includes(name) && !['h', 'v', 'n'].includes(name),
    );
    for (const name of strangers)
      for (const written of [[`--${name}`, 'v'], [`-${name}=v`], [`--${name}=v`], [`--${name}`]])
        expect(parse(...written), written.join(' ')).toMatchObject({
          kind: 'fault',
          sentence: expect.stringContaining(`-${name.charAt(0)}`),
        });
  });

  test('takes each of its options in every form of Vault’s commands', () => {
    for (const { name, value, choices, short } of options) {
      const given = choices?.[0] ?? 'v';
      const forms =
        value === undefined
          ? [[`-${name}`], [`--${name}`], [`-${name}=true`], [`--${name}=1`]]
          : [[`-${name}=${given}`], [`--${name}=${given}`], [`-${name}`, given], [`--${name}`, given]];
      if (short !== undefined) forms.push([`-${short}`, given]);
      for (const form of forms) {
        const line = parse(...form);
        expect(line.kind === 'run' && line.args.get(name), form.join(' ')).toBe(
          value === undefined ? 'true' : given,
        );
      }
    }
  });

  test('takes no option for the value of another, and no value for a switch', () => {
    for (const { name, value } of options) {
      const forms =
        value === undefined ? [[`-${name}=maybe`]] : [[`-${name}`], [`-${name}`, '--yes'], [`-${name}=`]];
      for (const form of forms) expect(parse(...form), form.join(' ')).toMatchObject({ kind: 'fault' });
    }
  });

  test('refuses words that it does not take', () => {
    expect(parse('another')).toMatchObject({ kind: 'fault', sentence: expect.stringContaining('too many') });
  });

  test('has help with each of its options, on standard output, with exit code 0', () => {
    const { status, stdout, stderr } = sealedvault([...words, '--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`Usage: sealedvault ${[...words, ...operands].join(' ')}`);
    for (const { name } of options) expect(stdout).toContain(`--${name}`);
    for (const form of [['-h'], ['-help'], ['x', '--nonsense', '--help'], ['--as', '--help']])
      expect(parseCommandLine([...words, ...form])).toEqual({ kind: 'help', text: stdout });
    expect(parseCommandLine(['help', ...words])).toEqual({ kind: 'help', text: stdout });
  });
});

test.each([[[]], [['ceremony']], [['hsm']], [['operator']]])('%j has help, and is no command', (words) => {
  expect(sealedvault([...words, '--help'])).toMatchObject({ status: 0, stderr: '' });
  const { status, stdout, stderr } = sealedvault(words);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain('Usage: sealedvault');
});

test('a misspelt option does not send a share elsewhere', () => {
  const line = ['ceremony', 'submit', 'rotate', '--as', 'ada', '--adress', 'https://10.0.0.1:8200', '--yes'];
  const { status, stderr } = sealedvault(line, { VAULT_ADDR: 'https://127.0.0.1:1' });
  expect(status).toBe(2);
  expect(stderr).toContain('flag provided but not defined: -adress\n');
});

test.each([
  [['controller'], {}, 'POD_NAMESPACE'],
  [['controller'], { POD_NAMESPACE: 'x' }, 'SEALEDVAULT_IMAGE'],
  [['controller'], { POD_NAMESPACE: 'x', SEALEDVAULT_IMAGE: 'x', HEALTH_PORT: 'none' }, 'HEALTH_PORT'],
  [['hsm', 'init-token', '-lib=/x', '-label=x'], {}, 'HSM_PIN'],
  [['hsm', 'init-token', '-lib=/x', '-label=x'], { HSM_PIN: 'x' }, 'HSM_SO_PIN'],
  [['status'], { VAULT_CACERT: '/nothing' }, 'VAULT_CACERT'],
  [['ceremony', 'status', 'x'], {}, '--kubeconfig'],
  [['ceremony', 'status', 'x', '--kubeconfig=/nothing'], {}, '--kubeconfig'],
  [['ceremony', 'verify', '/nothing'], {}, '/nothing'],
  [['server', '-config=/nothing'], {}, '/nothing'],
])('%j with %j says what is missing, without a stack trace', (args, env, name) => {
  const { status, stdout, stderr } = sealedvault(args, env);
  expect(status).toBe(1);
  expect(`${stdout}${stderr}`).toContain(name);
  expect(`${stdout}${stderr}`).not.toMatch(/\n\s+at |\\n\s+at |node:internal/);
});

test('an option takes a value in every command or in none', () => {
  const both = names.filter(
    (name) =>
      new Set(every.filter((each) => each.name === name).map(({ value }) => value === undefined)).size > 1,
  );
  expect(both).toEqual([]);
});

test('what the program reads of its options is declared, and what is declared is read', () => {
  const files = readdirSync(join(root, 'src/cli'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/(?:options|commands|help|parse)\.ts$/.test(file))
    .map((file) => join(root, 'src/cli', file));
  const source = [join(root, 'src/main.ts'), ...files].map((file) => readFileSync(file, 'utf8')).join('\n');
  const calls =
    /(?:(?:args|options)\.(?:get|on|all)\(|(?:required\(context|devSetting\(options), )'([\w-]+)'/g;
  const read = [...source.matchAll(calls)].map(([, name = '']) => name);
  expect(read.length).toBeGreaterThan(30);
  expect(read.filter((name) => !names.includes(name))).toEqual([]);
  expect(names.filter((name) => !read.includes(name) && !name.startsWith('log-'))).toEqual([]);
});
