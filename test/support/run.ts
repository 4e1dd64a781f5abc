import { startVitest } from 'vitest/node';
import { SummaryReporter } from './summary.ts';
import { ensurePrograms } from './cluster/packages.ts';
import { toTerminal } from './cluster/progress.ts';

/**
 * `npm test`: installs what Debian must bring (when it may), then runs every project.
 * Arguments are vitest's filters; `--project NAME` picks some.
 */
const argv = process.argv.slice(2);
const projects: string[] = [];
const filters: string[] = [];
for (let index = 0; index < argv.length; index += 1) {
  const argument = argv[index] ?? '';
  if (argument === '--project') {
    index += 1;
    projects.push(argv[index] ?? '');
  } else filters.push(argument);
}

await ensurePrograms(
  [
    'softhsm2-util',
    'pkcs11-tool',
    'gpg',
    'p11-kit',
    '/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so',
    'slapd',
    'gcc',
    '/usr/include/stdlib.h',
    'openssl',
    'pg_ctlcluster',
    'mariadbd',
    'mariadb-install-db',
    'ssh-keygen',
    'sshd',
    'zbarimg',
    'chromium',
    'curl',
    'go',
    'python3',
    '/usr/share/doc/python3-venv',
  ],
  toTerminal,
);
const vitest = await startVitest('test', filters, {
  watch: false,
  run: true,
  reporters: ['default', new SummaryReporter()],
  ...(projects.length === 0 ? {} : { project: projects }),
});
await vitest.close();
