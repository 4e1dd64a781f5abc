import { mkdirSync, rmSync } from 'node:fs';
import { attempt, run } from '../../test/support/cluster/command.ts';
import { ensurePrograms } from '../../test/support/cluster/packages.ts';
import type { Report } from '../../test/support/cluster/progress.ts';

/** Custodians who keep their OpenPGP keys in a keyring of their own, apart from the user's. */
export class Custodians {
  readonly names: readonly string[];
  readonly #home: string;

  private constructor(home: string, names: readonly string[]) {
    this.#home = home;
    this.names = names;
  }

  /**
   * Makes a scratch keyring with one new key for each custodian.
   * @param home Folder of the keyring; a short path, since gpg puts a socket into it.
   * @param names The custodians.
   * @param report Told when gpg has to be installed.
   * @returns The custodians.
   * @throws {CommandFailed} When gpg cannot make a key.
   */
  static async create(home: string, names: readonly string[], report: Report): Promise<Custodians> {
    await ensurePrograms(['gpg'], report);
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const custodians = new Custodians(home, names);
    for (const name of names) {
      // The keys live in a scratch folder for the length of a demo, so they have no passphrase.
      await custodians.#gpg([
        '--pinentry-mode',
        'loopback',
        '--passphrase',
        '',
        '--quick-gen-key',
        address(name),
        'future-default',
        'default',
        '1y',
      ]);
    }
    return custodians;
  }

  /**
   * Opens a keyring that `create` made.
   * @param home Its folder.
   * @param names The custodians.
   * @returns The custodians.
   */
  static open(home: string, names: readonly string[]): Custodians {
    return new Custodians(home, names);
  }

  /**
   * Exports a public key.
   * @param name The custodian.
   * @returns The armored key.
   * @throws {CommandFailed} When there is no such key.
   */
  publicKey(name: string): Promise<string> {
    return this.#gpg(['--armor', '--export', address(name)]);
  }

  /**
   * Exports a secret key, for a browser; a demo's key has no passphrase.
   * @param name The custodian.
   * @returns The armored key.
   * @throws {CommandFailed} When there is no such key.
   */
  secretKey(name: string): Promise<string> {
    return this.#gpg(['--armor', '--export-secret-keys', address(name)]);
  }

  /**
   * Decrypts a message with the custodians' keys.
   * @param message Armored or base64 of the binary form.
   * @returns The plaintext.
   * @throws {CommandFailed} When none of the keys opens it.
   */
  async decrypt(message: string): Promise<string> {
    const armored = message.includes('-----BEGIN PGP MESSAGE-----');
    return this.#gpg(['--decrypt'], armored ? message : Buffer.from(message, 'base64'));
  }

  /**
   * The key ids that a message is encrypted to.
   * @param message Armored or base64 of the binary form.
   * @returns The ids, as gpg prints them.
   * @throws {CommandFailed} When it is no OpenPGP message.
   */
  async recipients(message: string): Promise<string[]> {
    const armored = message.includes('-----BEGIN PGP MESSAGE-----');
    const listed = await this.#gpg(
      ['--list-only', '--list-packets'],
      armored ? message : Buffer.from(message, 'base64'),
    );
    return [...listed.matchAll(/pubkey enc packet:.* keyid ([0-9A-F]+)/g)].map((match) => match[1] ?? '');
  }

  /**
   * The key ids of a custodian's key and its sub-keys.
   * @param name The custodian.
   * @returns The ids.
   * @throws {CommandFailed} When there is no such key.
   */
  async keyIds(name: string): Promise<string[]> {
    const listed = await this.#gpg(['--with-colons', '--list-keys', address(name)]);
    return listed
      .split('\n')
      .map((line) => line.split(':'))
      .filter(([type]) => type === 'pub' || type === 'sub')
      .map((fields) => fields[4] ?? '');
  }

  /** Ends gpg's agent and removes the keyring. */
  async remove(): Promise<void> {
    await attempt('gpgconf', ['--homedir', this.#home, '--kill', 'all']);
    rmSync(this.#home, { recursive: true, force: true });
  }

  #gpg(args: readonly string[], input?: string | Uint8Array): Promise<string> {
    return run(
      'gpg',
      ['--homedir', this.#home, '--batch', '--quiet', '--no-tty', '--yes', ...args],
      input === undefined ? {} : { input },
    );
  }
}

function address(name: string): string {
  return `${name} <${name}@example.org>`;
}
