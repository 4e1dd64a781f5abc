import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** OpenSSH's own programs, with a folder for their files. */
export class OpenSsh {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'sealedvault-ssh-'));

  /** @returns the path of a file, written when there is content */
  file(name: string, content?: string): string {
    const path = join(this.dir, name);
    if (content !== undefined) writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  /** Makes a key pair. @returns the public half */
  keygen(name: string, type: string, bits?: string): string {
    const sized = bits === undefined ? [] : ['-b', bits];
    execFileSync('ssh-keygen', [
      '-q',
      '-t',
      type,
      ...sized,
      '-N',
      '',
      '-C',
      'me@here',
      '-f',
      this.file(name),
    ]);
    return readFileSync(this.file(`${name}.pub`), 'utf8');
  }

  /** What is read in a certificate. */
  inspect(certificate: string): string {
    return this.#run('-L', 'inspected-cert.pub', certificate);
  }

  /** The fingerprint of a public key or certificate. */
  fingerprint(key: string): string {
    return this.#run('-l', 'printed.pub', key).split(' ')[1] ?? '';
  }

  /** The public half of a private key. */
  publicHalf(privateKey: string): string {
    return this.#run('-y', 'private', privateKey);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  #run(option: string, name: string, content: string): string {
    return execFileSync('ssh-keygen', [option, '-f', this.file(name, content)], { encoding: 'utf8' });
  }
}
