import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLogger } from '../../../src/lib/log.ts';
import { LogSink } from '../../../src/lib/log-sink.ts';
import { createMetrics } from '../../../src/engine/metrics/metrics.ts';

const HOUR = 3_600_000;

function world(more: object = {}): {
  readonly folder: string;
  readonly clock: { time: number; now(): number };
  readonly sink: LogSink;
  readonly standard: string[];
} {
  const folder = mkdtempSync(join(tmpdir(), 'sealedvault-log-'));
  const clock = { time: 1_800_000_000_000, now: () => clock.time };
  const standard: string[] = [];
  const sink = new LogSink(clock, { write: (line: string) => void standard.push(line) });
  sink.configure('json', {
    path: join(folder, 'a.log'),
    rotateBytes: 0,
    rotateDurationMs: HOUR,
    rotateMaxFiles: 0,
    ...more,
  });
  return { folder, clock, sink, standard };
}

test('a file is rotated when its time is over, and every line goes to standard error as well', () => {
  const { folder, clock, sink, standard } = world();
  sink.write('one\n');
  clock.time += HOUR - 1;
  sink.write('two\n');
  clock.time += 1;
  sink.write('three\n');
  expect(readFileSync(join(folder, 'a.log'), 'utf8')).toBe('three\n');
  expect(readFileSync(join(folder, `a-${clock.time}.log`), 'utf8')).toBe('one\ntwo\n');
  expect(standard).toEqual(['one\n', 'two\n', 'three\n']);
});

test.each([
  [0, 6],
  [2, 3],
  [-1, 1],
])('with rotateMaxFiles %d, %d files are there in the end', (rotateMaxFiles, count) => {
  const { folder, sink } = world({ rotateBytes: 4, rotateMaxFiles });
  for (let line = 0; line < 6; line += 1) sink.write('abc\n');
  expect(readdirSync(folder)).toHaveLength(count);
});

test('a file that can no longer be written is told once, stops nothing, and is taken up again', () => {
  const { folder, sink, standard } = world({ rotateBytes: 4 });
  sink.write('one\n');
  rmSync(folder, { recursive: true });
  sink.write('two\n');
  sink.write('three\n');
  expect(standard.filter((line) => line.includes('the log file cannot be written'))).toHaveLength(1);
  expect(standard.filter((line) => !line.startsWith('{'))).toEqual(['one\n', 'two\n', 'three\n']);
  mkdirSync(folder);
  sink.write('four\n');
  expect(readFileSync(join(folder, 'a.log'), 'utf8')).toBe('four\n');
});

test('standard text has time, level, part, message and fields', () => {
  const { folder, sink } = world();
  sink.configure('standard', {
    path: join(folder, 'a.log'),
    rotateBytes: 0,
    rotateDurationMs: HOUR,
    rotateMaxFiles: 0,
  });
  createLogger({ level: 'debug', destination: sink })
    .part('core')
    .warn({ vault: 'a b', count: 3, at: { x: 1 } }, 'a message');
  expect(readFileSync(join(folder, 'a.log'), 'utf8')).toMatch(
    /^\d{4}-\d\d-\d\dT[\d:.]+Z \[WARN\]  core: a message: vault="a b" count=3 at=\{"x":1\}\n$/,
  );
});

test('Prometheus is not told of what had no news for the retention time', async () => {
  const clock = { time: 0, monotonic: () => clock.time };
  const metrics = createMetrics({ clock, retentionMs: HOUR });
  metrics.count('vault.old');
  clock.time += HOUR / 2;
  metrics.count('vault.new');
  clock.time += HOUR / 2 + 1;
  const text = await metrics.prometheus();
  expect(text).toContain('vault_new 1');
  expect(text).not.toContain('vault_old');
  expect(await createMetrics({ clock, retentionMs: 0 }).prometheus()).toBeUndefined();
});
