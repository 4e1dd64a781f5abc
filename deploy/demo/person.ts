import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../../test/support/cluster/paths.ts';
import { namespaces } from './names.ts';

/** What a person's own computer has: their keyring, and how they reach cluster and vault. */
export interface Desk {
  readonly gnupgHome: string;
  readonly kubeconfig: string;
  /** Local port that leads to the active pod. */
  readonly port: number;
  readonly authority: string;
  readonly servername: string;
  readonly namespace: string;
}

/**
 * Runs `kubectl sealedvault ceremony …` as a person would, with the real program.
 * @param desk The person's computer.
 * @param args What comes after `ceremony`.
 * @returns What it printed.
 * @throws {Error} With what it said, when it does not end with 0.
 */
export function ceremony(desk: Desk, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(projectRoot, 'src', 'main.ts'), 'ceremony', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        GNUPGHOME: desk.gnupgHome,
        KUBECONFIG: desk.kubeconfig,
        VAULT_ADDR: `https://127.0.0.1:${desk.port}`,
        VAULT_CACERT: desk.authority,
        VAULT_TLS_SERVER_NAME: desk.servername,
      },
    });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`ceremony ${args.join(' ')} ended with ${code}: ${err}${out}`));
    });
  });
}

/**
 * Lets custodians answer the test message of a ceremony, each with their own key.
 * @param at Their keyring, and how they reach the cluster.
 * @param name The ceremony.
 * @param who The custodians.
 * @throws {Error} When one cannot.
 */
export async function answerKeyTest(
  { gnupgHome, kubeconfig }: Pick<Desk, 'gnupgHome' | 'kubeconfig'>,
  name: string,
  who: readonly string[],
): Promise<void> {
  // The vault has no part in this.
  const desk = { gnupgHome, kubeconfig, port: 1, authority: '', servername: '', namespace: namespaces.vault };
  for (const each of who)
    await ceremony(desk, ['key-test', name, '--as', each, '--yes', '--namespace', namespaces.vault]);
}
