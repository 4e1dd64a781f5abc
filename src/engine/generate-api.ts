import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../lib/clock.ts';
import { createLogger } from '../lib/log.ts';
import { plainKeyRandom } from '../lib/key-random.ts';
import { systemRandom } from '../lib/random.ts';
import { openAudit } from './audit/audit.ts';
import { Core } from './core/core.ts';
import { initializeDev } from './dev.ts';
import type { PathTable } from './logical/logical.ts';
import { wireOperations, wirePath } from './logical/openapi.ts';
import { createProcessServices } from './process/process.ts';
import { createInmem } from './physical/inmem.ts';
import { factories } from './registry.ts';
import { createShamirSeal } from './seal/shamir.ts';
import { version } from './version.ts';

/**
 * Writes docs/api.md from the path tables of an engine in memory with everything mounted; with `--check`, only says
 * whether it is out of date (status 1). An operation of the recorded peer that is not served needs a reason here.
 */
const root = join(import.meta.dirname, '..', '..');
const check = process.argv.includes('--check');

/** Why operations of the peer are not served, by how their path begins. */
const REASONS: readonly (readonly [string, string])[] = [
  ['/sys/namespaces', 'namespaces are not supported'],
  ['/sys/storage/raft', 'there is no raft: storage is LMDB, or PostgreSQL'],
  ['/sys/workflows', "the peer's own extension"],
  ['/sys/internal/inspect/request', "the peer's own extension"],
  ['/pki/cel', "the peer's own extension"],
  ['/jwt/cel', "the peer's own extension"],
  ['/auth/jwt/cel', "the peer's own extension"],
  ['/pki/eab', 'ACME is not served yet'],
  ['/identity/mfa/method/duo', 'second factors that need the service of a company are not supported'],
  ['/identity/mfa/method/okta', 'second factors that need the service of a company are not supported'],
  ['/identity/mfa/method/pingid', 'second factors that need the service of a company are not supported'],
  ['/sys/pprof/block', 'Node has no equivalent'],
  ['/sys/pprof/mutex', 'Node has no equivalent'],
  ['/sys/pprof/symbol', 'Node has no equivalent'],
  ['/sys/pprof/threadcreate', 'Node has no equivalent'],
  ['/sys/pprof/trace', 'Node has no equivalent'],
];

const quiet = createLogger({ level: 'error' });
const core = new Core({
  process: createProcessServices({
    log: quiet,
    clock: systemClock,
    logLevel: 'error',
    sanitizedConfig: {},
    commandLine: [],
    reload: () => Promise.resolve(),
  }),
  rawStorage: true,
  disableSealWrap: false,
  physical: createInmem(),
  seal: createShamirSeal(systemRandom),
  factories,
  openAudit: (salt) => openAudit({ devices: [], salt, clock: systemClock, log: quiet }),
  clock: systemClock,
  random: systemRandom,
  keyRandom: plainKeyRandom(systemRandom),
  log: quiet,
  version,
  buildDate: '',
  defaultLeaseTtl: 3600,
  maxLeaseTtl: 3600,
  requirePgpShares: false,
  initClientName: undefined,
});
await core.start();
await initializeDev(core, '');
const { vault } = core;
if (vault === undefined) throw new TypeError('an initialized dev vault is open');
for (const table of ['mounts', 'auth'] as const) {
  const types = Object.keys(factories[table === 'auth' ? 'auth' : 'secrets']);
  for (const type of types.flatMap((each) => (each === 'kv' ? ['kv-v1', 'kv-v2'] : [each]))) {
    await vault.mounts.mount({
      table,
      path: `${type.replace('kv-v', 'kv')}/`,
      type,
      description: '',
      local: false,
      sealWrap: false,
      options: null,
      config: { defaultLeaseTtl: 0, maxLeaseTtl: 0, forceNoCache: false },
    });
  }
}

interface Served {
  readonly method: string;
  readonly path: string;
  readonly access: string;
  readonly summary: string;
}

function served(prefix: string, table: PathTable): Served[] {
  return table.rows.flatMap((row) =>
    wireOperations(row).map(({ method, operation, summary }) => ({
      method: operation === 'list' ? 'LIST' : method.toUpperCase(),
      path: `/${prefix}${wirePath(row.pattern)}`,
      access: row.access,
      summary,
    })),
  );
}

const sections = vault.mounts.router.all().map(({ prefix, backend }) => ({
  title: `${prefix.replace(/\/$/, '')}`,
  rows: served(prefix, backend.paths),
}));
await core.stop();

const known = new Set(
  sections.flatMap(({ rows }) => rows.map(({ method, path }) => `${method} ${shape(path)}`)),
);
const missing = readFileSync(join(root, 'test', 'vectors', 'golden', 'openbao-2.6.2-paths.tsv'), 'utf8')
  .trimEnd()
  .split('\n')
  .slice(1)
  .map((line) => line.split('\t'))
  .flatMap(([method = '', path = '', , query = '']) =>
    query.includes('list') && !known.has(`${method} ${shape(path)}`)
      ? [{ method: 'LIST', path }]
      : [{ method, path }],
  )
  .filter(({ method, path }) => !known.has(`${method} ${shape(path)}`))
  .map((row) => ({ ...row, reason: reasonFor(row.path) }));

function reasonFor(path: string): string | undefined {
  if (path.includes('/acme/')) return 'ACME is not served yet';
  return REASONS.find(([prefix]) => path.startsWith(prefix))?.[1];
}

// Names of parameters differ; a trailing slash does not count.
function shape(path: string): string {
  return path.replaceAll(/\{[^{}]*\}/g, '{}').replace(/\/$/, '');
}

const text = `# API

Generated by \`npm run generate\` from the tables that serve the API; do not edit. Every engine and method is shown at
its default path. POST and PUT are the same; LIST is also GET with \`list=true\`. Fields: \`?help=1\` on any path, or
\`sys/internal/specs/openapi\`.

${sections.map(section).join('\n')}
## Not served

Operations of OpenBao 2.6.2, the recorded peer, that this engine does not have, and why.

| Operation | Reason |
|---|---|
${missing.map(({ method, path, reason }) => `| ${method} \`${path}\` | ${reason ?? '**no reason given**'} |`).join('\n')}
`;

function section({ title, rows }: (typeof sections)[number]): string {
  const lines = rows.map(
    ({ method, path, access, summary }) =>
      `| ${method} | \`${path}\` | ${access === 'token' ? '' : access} | ${summary.replaceAll('|', '\\|')} |`,
  );
  return `## ${title}\n\n| Method | Path | Access | What it does |\n|---|---|---|---|\n${lines.join('\n')}\n`;
}

const file = join(root, 'docs', 'api.md');
const unexplained = missing.filter(({ reason }) => reason === undefined);
for (const { method, path } of unexplained)
  process.stdout.write(`neither served nor given a reason: ${method} ${path}\n`);
if (unexplained.length > 0) process.exitCode = 1;
if (readFileSync(file, { encoding: 'utf8', flag: 'a+' }) !== text) {
  process.stdout.write(`${check ? 'out of date' : 'written'}: docs/api.md\n`);
  if (check) process.exitCode = 1;
  else writeFileSync(file, text);
}
