import { expect, test } from 'vitest';
import { redacted } from '../../../../src/engine/secrets/database/details.ts';

const shown = (connection_url: string): unknown => redacted({ connection_url })['connection_url'];

test('a password in a connection URL is not shown', () => {
  expect(shown('postgres://ann:canary@db:5432/app')).toBe('postgres://ann:xxxxx@db:5432/app');
  expect(shown('postgresql://{{username}}:canary@db/app')).toBe('postgresql://{{username}}:xxxxx@db/app');
  expect(shown('ann:canary@tcp(db:3306)/')).toBe('ann:xxxxx@tcp(db:3306)/');
});

test('a URL without a password is left alone', () => {
  for (const url of [
    'postgres://ann@db:5432/app',
    'postgresql://ann@db/app?sslmode=disable',
    'postgres://db:5432/app',
    'postgres://{{username}}:{{password}}@db/app',
    '{{username}}:{{password}}@tcp(db:3306)/',
    'ann@tcp(db:3306)/',
  ])
    expect(shown(url)).toBe(url);
});
