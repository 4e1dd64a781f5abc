import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the program zbarimg reads in an image. @param image base64 */
export function scan(image: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'sealedvault-barcode-'));
  const file = join(dir, 'code.png');
  try {
    writeFileSync(file, Buffer.from(image, 'base64'));
    const args = ['--raw', '--quiet', file];
    return execFileSync('zbarimg', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trimEnd();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
