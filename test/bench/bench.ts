import { execFileSync } from 'node:child_process';
import { benchEngine, type Row } from './engine.ts';

/**
 * `npm run bench`: the figures the project promises, as ratios in one run where they are about speed.
 * `npm run bench -- engine`, `-- seal`, `-- scale` or `-- operator` runs one part. Exits with 1 when a limit is passed.
 */
execFileSync('npm', ['run', 'build', '--silent'], { stdio: 'inherit' });
const only = process.argv[2];
const rows: Row[] = [];
if (only === undefined || only === 'engine') rows.push(...(await benchEngine()));
if (only === undefined || only === 'seal') {
  const { benchSeal } = await import('./seal.ts');
  rows.push(...(await benchSeal()));
}
if (only === undefined || only === 'scale') {
  const { benchScale } = await import('./scale.ts');
  rows.push(...(await benchScale()));
}
if (only === undefined || only === 'operator') {
  const { benchOperator } = await import('./operator.ts');
  rows.push(...(await benchOperator()));
}

const width = Math.max(...rows.map(({ name }) => name.length)) + 2;
process.stdout.write(`\n${'figure'.padEnd(width)}${'measured'.padStart(12)}  ${'limit'.padStart(8)}\n`);
let over = 0;
for (const { name, value, unit, limit } of rows) {
  const bad = value > limit;
  if (bad) over += 1;
  process.stdout.write(
    `${name.padEnd(width)}${value.toFixed(value < 10 ? 2 : 0).padStart(12)}  ${String(limit).padStart(8)}  ${unit}${bad ? '   over the limit' : ''}\n`,
  );
}
process.exitCode = over === 0 ? 0 : 1;
