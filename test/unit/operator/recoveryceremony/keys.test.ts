import { readKey } from 'openpgp';
import { describe, expect, test } from 'vitest';
import { inspectPeople } from '../../../../src/operator/recoveryceremony/people/keys.ts';
import type { KubeObject } from '../../../../src/operator/runtime/runtime.ts';
import { CONFIG_MAP, SECRET } from '../../../../src/operator/sealedvault/types.ts';
import { ceremonyWorld, custodianKey } from './world.ts';

describe.each([
  ['ConfigMap', 'data'],
  ['ConfigMap', 'binaryData'],
  ['Secret', 'data'],
])('a key in the %s’s %s', (kind, field) => {
  const encoded = kind === 'Secret' || field === 'binaryData';
  const forms = ['armored', 'base64 of the binary', ...(encoded ? ['binary'] : [])];

  test.each(forms)('is read: %s', async (form) => {
    const { publicKey } = await custodianKey('edith');
    const bytes = (await readKey({ armoredKey: publicKey })).write();
    const text = form === 'armored' ? publicKey : Buffer.from(bytes).toString('base64');
    const value = form === 'binary' ? bytes : Buffer.from(text);
    const made = ceremonyWorld('init', {});
    made.put(kind === 'Secret' ? SECRET : CONFIG_MAP, {
      apiVersion: 'v1',
      kind,
      metadata: { name: 'keys', namespace: 'vaults' },
      [field]: { edith: encoded ? Buffer.from(value).toString('base64') : text },
    } as KubeObject);
    const ref = { name: 'keys', key: 'edith' };
    const people = ['edith', 'nobody'].map((name) => ({
      name,
      publicKeyFrom:
        kind === 'Secret'
          ? { secretKeyRef: { ...ref, key: name } }
          : { configMapKeyRef: { ...ref, key: name } },
    }));
    const use = () => ({ receives: true, signs: false });
    const [edith, nobody] = await inspectPeople(people, use, 'vaults', made.context());
    expect(edith?.problem).toBeUndefined();
    expect(edith?.key?.fingerprint).toMatch(/^[0-9a-f]{40}$/);
    expect(nobody?.problem).toBe(`the key nobody of ${kind} keys is not there`);
  });
});
