import { spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { Secret } from '../../lib/secret.ts';
import { CeremonyFailure } from './failure.ts';

/**
 * The person's own gpg, which knows their keys and smart cards and asks for PINs itself.
 *
 * I1  Always an argument vector, never a shell; what is decrypted or signed goes through pipes, never through a file.
 * I2  What gpg says goes to the person's terminal as it is; what it decrypts is nowhere but in a Secret.
 */
export interface Gpg {
  /** @returns the plaintext. @throws CeremonyFailure when gpg cannot decrypt it */
  decrypt(message: string): Promise<Secret>;
  /**
   * Makes an armored, detached signature over the UTF-8 text.
   * @param key fingerprint, or anything that gpg knows a key by
   */
  sign(text: string, key: string): Promise<string>;
}

const MAX_OUTPUT = 65_536;

export function personsGpg(env: Readonly<Record<string, string | undefined>>): Gpg {
  return {
    decrypt: async (message) => {
      const { status, output } = await run(env, ['--quiet', '--decrypt'], message);
      if (status === 0 && output.length > 0) return output;
      output[Symbol.dispose]();
      throw new CeremonyFailure('gpg could not decrypt the message', {
        hint: 'is it for you, and is your key or smart card here? what gpg said is above',
      });
    },
    sign: async (text, key) => {
      const args = ['--quiet', '--armor', '--detach-sign', '--local-user', key];
      const { status, output } = await run(env, args, text);
      using signature = output;
      if (status !== 0)
        throw new CeremonyFailure('gpg could not sign', {
          hint: `it was asked for the key ${key}; name another of yours with --key, and look at what gpg said above`,
        });
      return signature.borrow((bytes) => new TextDecoder().decode(bytes));
    },
  };
}

function run(
  env: Readonly<Record<string, string | undefined>>,
  args: readonly string[],
  input: string,
): Promise<{ readonly status: number | null; readonly output: Secret }> {
  return new Promise((resolve, reject) => {
    const child = spawn('gpg', args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...env, GPG_TTY: env['GPG_TTY'] ?? terminalName() },
    });
    const kept = new Uint8Array(MAX_OUTPUT);
    let size = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      if (size + chunk.length > MAX_OUTPUT) child.kill();
      else kept.set(chunk, size);
      size += chunk.length;
      chunk.fill(0);
    });
    child.once('error', (cause) => {
      kept.fill(0);
      reject(
        new CeremonyFailure('gpg cannot be started', { cause, hint: 'install GnuPG and put it on the PATH' }),
      );
    });
    child.once('close', (status) => {
      const output = Secret.own(kept.slice(0, Math.min(size, MAX_OUTPUT)));
      kept.fill(0);
      resolve({ status, output });
    });
    // gpg may end before it has read everything; its status says so.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

// Where a pinentry for terminals draws; gpg itself only has pipes here.
function terminalName(): string | undefined {
  if (!process.stdin.isTTY) return undefined;
  try {
    return readlinkSync('/proc/self/fd/0');
  } catch {
    return undefined;
  }
}
