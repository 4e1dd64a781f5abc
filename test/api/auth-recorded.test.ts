import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';

/** Lives of users, roles and configurations of auth methods at OpenBao 2.6.2. */
interface Exchange {
  readonly request: { readonly method: string; readonly path: string; readonly body?: any };
  readonly response: { readonly status: number; readonly body: any };
}

const exchanges = readFileSync(new URL('../vectors/auth-exchanges.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Exchange);

let engine: TestEngine;
/** Recorded secret or accessor → ours. */
const names = new Map<string, string>();
beforeAll(async () => {
  engine = await TestEngine.initialized();
});
afterAll(() => engine.stop());

const translate = (text: string): string => {
  let out = text;
  for (const [recorded, ours] of names) out = out.replaceAll(recorded, ours);
  return out.replaceAll(/"20\d\d-\d\d-\d\dT[\d:.]+Z"/g, '"TIME"').replaceAll("OpenBao's", "Vault's");
};

/** What differs from run to run, by its name. */
const VOLATILE = ['accessor', 'client_token', 'entity_id', 'role_id', 'secret_id', 'secret_id_accessor'];
const learn = (recorded: any, ours: any): void => {
  for (const name of VOLATILE) {
    const theirs = recorded?.[name];
    if (typeof theirs === 'string' && theirs.length > 5 && typeof ours?.[name] === 'string')
      names.set(theirs, ours[name]);
  }
};
const sorted = (value: any): any =>
  value?.keys === undefined ? value : { ...value, keys: value.keys.toSorted() };

for (const [index, { request, response }] of exchanges.entries()) {
  test(`${index} ${request.method} ${request.path} → ${response.status}`, async () => {
    const body = request.body === undefined ? undefined : translate(JSON.stringify(request.body));
    const answer = await engine.call(request.method, translate(request.path.slice('/v1/'.length)), body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(response.status);
    if (response.body === null) {
      expect(answer.body).toBeUndefined();
      return;
    }
    if (/unconvertible/.test(JSON.stringify(response.body))) {
      // The peer tells the types of its own language.
      expect(answer.body.errors[0]).toContain('error converting input for field "bound_claims"');
      return;
    }
    learn(response.body.data, answer.body.data);
    learn(response.body.auth, answer.body.auth);
    const theirs = JSON.parse(translate(JSON.stringify(response.body)));
    const ours = JSON.parse(translate(JSON.stringify(answer.body)));
    delete theirs.request_id;
    delete ours.request_id;
    expect({ ...ours, data: sorted(ours.data) }).toEqual({ ...theirs, data: sorted(theirs.data) });
  });
}
