import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestEngine } from './support/engine.ts';
import { tidied } from './support/pki.ts';

interface Exchange {
  readonly request: { readonly method: string; readonly path: string; readonly body?: any };
  readonly response: { readonly status: number; readonly contentType: string; readonly body?: any };
}

const exchanges = readFileSync(new URL('../unit/engine/pki/exchanges.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Exchange);

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.initialized();
});
afterAll(() => engine.stop());

// Serial numbers, ids and texts of the peer, by what stands for them here.
const ours = new Map<string, string>();

function learn(theirs: any, mine: any): void {
  if (typeof theirs === 'string' && typeof mine === 'string') {
    if (ours.has(theirs)) return;
    if (/^[0-9a-f]{2}(:[0-9a-f]{2}){19}$|^[0-9a-f-]{36}$/.test(theirs)) ours.set(theirs, mine);
    return;
  }
  if (typeof theirs !== 'object' || theirs === null || typeof mine !== 'object' || mine === null) return;
  for (const name of Object.keys(theirs)) learn(theirs[name], mine[name]);
}

function translate(text: string): string {
  let translated = text;
  for (const [theirs, mine] of ours) translated = translated.replaceAll(theirs, mine);
  return translated;
}

/** What may differ: PEM by its label, times and random ids by their form. */
function shape(value: any): any {
  if (typeof value === 'string') {
    return value
      .replace(/-----BEGIN ([A-Z0-9 ]+)-----[^-]+-----END [A-Z0-9 ]+-----/g, '<$1>')
      .replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/, '<time>')
      .replace(/^[0-9a-f]{8}-[0-9a-f-]{27}$/, '<id>')
      .replace(/^[0-9a-f]{2}(:[0-9a-f]{2}){10,}$/, '<serial>');
  }
  if (typeof value === 'number') return value > 1_000_000_000 ? '<moment>' : value;
  if (Array.isArray(value)) return value.map(shape);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [shape(name), shape(each)]));
}

describe('recorded exchanges of the peer', () => {
  for (const [index, { request, response }] of exchanges.entries()) {
    test(`${index} ${request.method} ${request.path} → ${response.status}`, async () => {
      const path = translate(request.path.slice('/v1/'.length));
      const body = request.body === undefined ? undefined : translate(JSON.stringify(request.body));
      const answer = await fetch(`${engine.address}/v1/${path}`, {
        method: request.method,
        headers: { 'X-Vault-Token': engine.root },
        ...(body === undefined ? {} : { body }),
      });
      const text = await answer.text();
      if (path === 'pki/tidy') await tidied(engine, 'pki');
      expect(answer.status, text).toBe(response.status);
      expect(answer.headers.get('content-type')).toBe(response.contentType);
      if (typeof response.body === 'string') {
        expect(shape(text)).toBe(shape(response.body));
        return;
      }
      if (response.body === undefined) return;
      const mine = JSON.parse(text);
      learn(response.body.data, mine.data);
      if (response.body.errors !== undefined) {
        expect(mine.errors).toEqual(response.body.errors);
        return;
      }
      expect(mine.warnings).toEqual(response.body.warnings);
      // Lists of serial numbers are in the order of random numbers.
      if (mine.data?.keys !== undefined) {
        expect(mine.data.keys).toHaveLength(response.body.data.keys.length);
        return;
      }
      expect(Object.keys(mine.data ?? {})).toEqual(Object.keys(response.body.data ?? {}));
      expect(shape(mine.data)).toEqual(shape(response.body.data));
    });
  }
});
