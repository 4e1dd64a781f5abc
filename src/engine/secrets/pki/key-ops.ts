import type { KeyObject } from 'node:crypto';
import type { JsonObject } from '../../../lib/json.ts';
import { empty, type Response } from '../../logical/response.ts';
import { answer } from './answer.ts';
import { openCaKey } from './ca-key.ts';
import { getDefaultKey, putConfig } from './config.ts';
import type { Pki } from './context.ts';
import { checkKeyName, importKey } from './import.ts';
import { allIssuers, allKeys, deleteKey, isName, publicKeyOf, putKey, resolveKey } from './issuers.ts';
import { settleKey } from './key-type.ts';
import { readPem, trimmedPem } from './pem.ts';
import { refusal, Refused } from './refused.ts';
import { colonHex } from './serial.ts';
import { exportPrivate, keyIdentifier, readPrivateKey, spkiOf } from './x509/keys.ts';

export async function listKeys(pki: Pki): Promise<Response | undefined> {
  const entries = await allKeys(pki.storage);
  if (entries.length === 0) return undefined;
  const defaultId = await getDefaultKey(pki.storage);
  const info: JsonObject = {};
  for (const { id, name } of entries) info[id] = { is_default: id === defaultId, key_name: name };
  return answer({ key_info: info, keys: entries.map(({ id }) => id) });
}

export async function readKey(pki: Pki, ref: string): Promise<Response> {
  const entry = await resolveKey(pki.storage, ref);
  if (entry instanceof Refused) return refusal(entry);
  return answer({
    key_id: entry.id,
    key_name: entry.name,
    key_type: entry.type,
    ...(entry.managed === undefined
      ? {}
      : { managed_key_id: entry.managed.id, managed_key_name: entry.managed.name }),
    subject_key_id: colonHex(keyIdentifier(spkiOf(publicKeyOf(entry)))),
  });
}

export async function nameKey(pki: Pki, ref: string, name: string): Promise<Response> {
  const done = await pki.change(async (batch) => {
    const entry = await resolveKey(batch, ref);
    if (entry instanceof Refused) return entry;
    if (name !== '' && !isName(name)) return new Refused('new key name outside of valid character limits');
    if (name !== entry.name) {
      const bad = await checkKeyName(batch, name);
      if (bad !== undefined) return bad;
      await putKey(batch, { ...entry, name });
    }
    return entry;
  });
  if (done instanceof Refused) return refusal(done);
  return answer(
    { key_id: done.id, key_name: name, key_type: done.type },
    name === ''
      ? [`Name successfully deleted, you will now need to reference this key by it's Id: ${done.id}`]
      : [],
  );
}

export async function removeKey(pki: Pki, ref: string): Promise<Response> {
  const done = await pki.change(async (batch) => {
    const entry = await resolveKey(batch, ref);
    if (entry instanceof Refused) return '';
    const issuer = (await allIssuers(batch)).find(({ keyId }) => keyId === entry.id);
    if (issuer !== undefined) return new Refused(`Failed to Delete Key.  Key in Use by Issuer: ${issuer.id}`);
    await deleteKey(batch, entry.id);
    if ((await getDefaultKey(batch)) !== entry.id) return '';
    await putConfig(batch, 'keys', { default: '' });
    return `Deleted key ${entry.id} (via key_ref ${ref}); this was configured as the default key. Operations without an explicit key will not work until a new default is configured.`;
  });
  if (done instanceof Refused) return refusal(done);
  return done === '' ? empty : { kind: 'data', data: null, warnings: [done] };
}

export interface KeyRequest {
  readonly key_name: string;
  readonly key_type: string;
  readonly key_bits: number;
  readonly managed_key_name: string;
  readonly managed_key_id: string;
}

export async function generateNamedKey(pki: Pki, exported: string, fields: KeyRequest): Promise<Response> {
  const bad = await checkKeyName(pki.storage, fields.key_name);
  if (bad !== undefined) return refusal(bad);
  if (exported !== 'kms') {
    const settled = settleKey(fields.key_type, fields.key_bits, 0);
    if (settled instanceof Refused)
      return refusal(new Refused(`Validation for key_type, key_bits failed: ${settled.message}`));
  }
  const opened = await openCaKey(pki, {
    ...fields,
    // Of a managed key they only have to fit, and defaults are no wish.
    ...(exported === 'kms' ? { key_type: undefined, key_bits: undefined } : {}),
    exported,
    key_ref: '',
    signature_bits: 0,
  });
  if (opened instanceof Refused) return refusal(opened);
  const done = await pki.change((batch) => importKey(batch, pki.random, opened.key, fields.key_name));
  if (done instanceof Refused) return refusal(done);
  const { id, name, type } = done.entry;
  return answer({
    key_id: id,
    key_name: name,
    key_type: type,
    ...(opened.exported === undefined ? {} : { private_key: privatePem(opened.exported) }),
  });
}

function privatePem(key: KeyObject): string {
  const { label, der } = exportPrivate(key, false);
  return trimmedPem(label, der);
}

export async function importNamedKey(pki: Pki, pem: string, keyName: string): Promise<Response> {
  const bad = await checkKeyName(pki.storage, keyName);
  if (bad !== undefined) return refusal(bad);
  if (pem.length < 64) {
    return refusal(
      new Refused(
        'provided data for import was too short; perhaps a path was passed to the API rather than the contents of a PEM file',
      ),
    );
  }
  const blocks = readPem(pem)?.filter(({ label }) => !label.startsWith('EC PARAM'));
  if (blocks === undefined) return refusal(new Refused('provided PEM block contained no data'));
  const [block] = blocks;
  if (block === undefined || blocks.length !== 1) {
    return refusal(new Refused('only a single key can be present within the pem_bundle for importing'));
  }
  const key = readPrivateKey(block.der);
  if (key === undefined) return refusal(new Refused('unable to parse private key: unknown form'));
  const done = await pki.change((batch) => importKey(batch, pki.random, key, keyName));
  if (done instanceof Refused) return refusal(done);
  const { id, name, type } = done.entry;
  return answer(
    { key_id: id, key_name: name, key_type: type },
    done.existed ? ['Key already imported, use key/ endpoint to update name.'] : [],
  );
}
