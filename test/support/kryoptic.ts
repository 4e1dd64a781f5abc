import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync, copyFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CommandFailed, run } from './cluster/command.ts';
import { withLock } from './cluster/lock.ts';
import { ensurePrograms, find } from './cluster/packages.ts';
import { cacheFolder } from './cluster/paths.ts';
import { type Report, step, toTerminal } from './cluster/progress.ts';

/**
 * Kryoptic (github.com/latchset/kryoptic): a PKCS#11 token in software that shares no code with SoftHSM, built from
 * crates.io with the versions that its own lock file names.
 */
const VERSION = '1.5.4';

/** Of the edition that Kryoptic is written in. */
const OLDEST_CARGO = 85;

/** What OpenSSL 3.0 can do; the crate's default wants 3.2. */
const FEATURES = 'minimal,kryoptic-lib/dynamic';

const LIBCLANG = '/usr/lib/llvm-14/lib';

/** The library, or why this machine cannot build it. */
export type Kryoptic = { readonly lib: string } | { readonly missing: string };

/**
 * Finds Kryoptic in the cache, else builds it.
 * @param report Told when it has to be built.
 * @returns Full path of the library; or what this machine lacks: cargo, a package, the way to the crates.
 * @throws {CommandFailed} When everything is there and it does not compile.
 */
export async function kryoptic(report: Report = toTerminal): Promise<Kryoptic> {
  const file = join(cacheFolder(), 'kryoptic', VERSION, 'libkryoptic_pkcs11.so');
  if (existsSync(file)) return { lib: file };
  return withLock(`${file}.lock`, report, async () => {
    if (existsSync(file)) return { lib: file };
    const missing = await build(file, report);
    if (missing === undefined) return { lib: file };
    report(`• Kryoptic ${VERSION} cannot be built here, and its tests are skipped: ${missing}`);
    return { missing };
  });
}

async function build(target: string, report: Report): Promise<string | undefined> {
  const cargo = find('cargo');
  if (cargo === undefined) return 'there is no cargo';
  const version = await run(cargo, ['--version']);
  const [, minor = '0'] = /^cargo 1\.(\d+)/.exec(version) ?? [];
  if (Number(minor) < OLDEST_CARGO) return `cargo 1.${OLDEST_CARGO} is needed, and this is ${version.trim()}`;
  const work = mkdtempSync(join(tmpdir(), 'sealedvault-kryoptic-'));
  try {
    let manifest: string;
    try {
      await ensurePrograms(
        [
          'gcc',
          'pkg-config',
          `${LIBCLANG}/libclang.so.1`,
          '/usr/include/openssl/ssl.h',
          '/usr/include/sqlite3.h',
        ],
        report,
      );
      manifest = await fetchCrate(cargo, work);
    } catch (error) {
      return error instanceof CommandFailed ? error.stderr.trim().slice(0, 300) : String(error);
    }
    await step(
      report,
      `building Kryoptic ${VERSION} from crates.io`,
      () => compile(cargo, manifest, work, target),
      'about 1 min',
    );
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** @returns the manifest of the crate, as cargo unpacked it */
async function fetchCrate(cargo: string, work: string): Promise<string> {
  mkdirSync(join(work, 'src'));
  writeFileSync(join(work, 'src', 'lib.rs'), '');
  const dependency = `kryoptic = { version = "=${VERSION}", default-features = false }`;
  writeFileSync(
    join(work, 'Cargo.toml'),
    `[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\n${dependency}\n`,
  );
  const metadata = await run(cargo, ['metadata', '--format-version', '1'], { cwd: work });
  const [, manifest] = MANIFEST.exec(metadata) ?? [];
  if (manifest === undefined) throw new Error('cargo metadata does not show the crate');
  await run(cargo, ['fetch', '--locked', '--manifest-path', manifest]);
  return manifest;
}

const MANIFEST = new RegExp(`"manifest_path":"([^"]*/kryoptic-${VERSION}/Cargo\\.toml)"`);

async function compile(cargo: string, manifest: string, work: string, target: string): Promise<void> {
  const headers = (await run('gcc', ['-print-file-name=include'])).trim();
  const args = ['build', '--release', '--locked', '--offline', '--manifest-path', manifest];
  await run(cargo, [...args, '--no-default-features', '--features', FEATURES], {
    env: {
      CARGO_TARGET_DIR: join(work, 'target'),
      LIBCLANG_PATH: LIBCLANG,
      // libclang comes without the headers of a compiler.
      BINDGEN_EXTRA_CLANG_ARGS: `-I${headers}`,
    },
  });
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(join(work, 'target', 'release', 'libkryoptic_pkcs11.so'), `${target}.new`);
  renameSync(`${target}.new`, target);
}
