import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

/** A life of an entity, an alias and two groups at OpenBao 2.6.2, with other entities beside it. */
interface Exchange {
  readonly request: { readonly method: string; readonly path: string; readonly body?: any };
  readonly response: { readonly status: number; readonly body: any };
}

const exchanges = readFileSync(new URL('../vectors/identity-exchanges.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Exchange);

let engine: TestEngine;
/** Recorded id, accessor or mount → ours. */
const names = new Map<string, string>();
beforeAll(async () => {
  engine = await TestEngine.initialized();
  const { accessor } = (await engine.call('GET', 'sys/auth')).body.data['token/'];
  names.set('auth_cert_d982430b', accessor);
  names.set('auth/cert/', 'auth/token/');
  names.set('"mount_type":"cert"', '"mount_type":"token"');
});
afterAll(() => engine.stop());

const translate = (text: string): string => {
  let out = text;
  for (const [recorded, ours] of names) out = out.replaceAll(recorded, ours);
  return out.replaceAll(/"20\d\d-\d\d-\d\dT[\d:.]+Z"/g, '"TIME"');
};

/** Without the entities that were there before. */
const own = (data: any): any => {
  if (data?.keys === undefined) return data;
  const keys = data.keys.filter((key: string) => [...names.values(), 'ann', 'g', 'ge'].includes(key));
  if (data.key_info === undefined) return { keys };
  return { keys, key_info: Object.fromEntries(keys.map((key: string) => [key, data.key_info[key]])) };
};

for (const [index, { request, response }] of exchanges.entries()) {
  test(`${index} ${request.method} ${request.path} → ${response.status}`, async () => {
    const body = request.body === undefined ? undefined : translate(JSON.stringify(request.body));
    const answer = await engine.call(request.method, translate(request.path.slice('/v1/'.length)), body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(response.status);
    const data = response.body?.data;
    if (request.method === 'PUT' && data?.id !== undefined) names.set(data.id, answer.body.data.id);
    if (data === undefined) expect(answer.body).toEqual(response.body ?? undefined);
    else
      expect(own(JSON.parse(translate(JSON.stringify(answer.body.data))))).toEqual(
        own(JSON.parse(translate(JSON.stringify(data)))),
      );
  });
}
