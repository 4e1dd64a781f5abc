import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A person's own GnuPG, with keys made by it; nothing of it outside of a temporary folder. */
export class Gnupg {
  readonly home: string = mkdtempSync(join(tmpdir(), 'gnupg-'));

  /** Makes a key that signs, with a sub-key that decrypts. @param passphrase empty: none */
  generate(
    name: string,
    passphrase = '',
    algorithms: readonly [string, string] = ['ed25519', 'cv25519'],
  ): void {
    const [primary, sub] = algorithms;
    const secret = ['--pinentry-mode', 'loopback', '--passphrase', passphrase];
    this.run([...secret, '--quick-generate-key', `${name} <${name}@example.org>`, primary, 'sign', '1y']);
    this.run([...secret, '--quick-add-key', this.fingerprint(name), sub, 'encrypt', '1y']);
  }

  fingerprint(name: string): string {
    const listing = this.run(['--with-colons', '--list-keys', `${name}@`]).toString();
    return /^fpr:+([0-9A-F]{40}):/m.exec(listing)?.[1] ?? '';
  }

  /** Base64 of the binary public key, as Vault's API takes it. */
  publicKey(name: string): string {
    return this.run(['--export', `${name}@`]).toString('base64');
  }

  /** Armored, protected by its passphrase. */
  secretKey(name: string, passphrase = ''): string {
    const secret = ['--pinentry-mode', 'loopback', '--passphrase', passphrase];
    return this.run([...secret, '--armor', '--export-secret-keys', `${name}@`]).toString();
  }

  decrypt(message: string | Uint8Array, passphrase = ''): string {
    const secret = ['--pinentry-mode', 'loopback', '--passphrase', passphrase];
    return this.run([...secret, '--decrypt'], message).toString();
  }

  sign(name: string, text: string): string {
    return this.run(['--armor', '--local-user', this.fingerprint(name), '--detach-sign'], text).toString();
  }

  run(args: readonly string[], input?: string | Uint8Array): Buffer {
    return execFileSync('gpg', ['--homedir', this.home, '--batch', '--quiet', ...args], {
      input,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  close(): void {
    execFileSync('gpgconf', ['--homedir', this.home, '--kill', 'gpg-agent']);
    rmSync(this.home, { recursive: true, force: true });
  }
}
