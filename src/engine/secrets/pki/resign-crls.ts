import type { Extension } from '@peculiar/asn1-x509';
import { fromBase64, toBase64 } from '../../../lib/bytes.ts';
import { parseDuration } from '../../../lib/duration.ts';
import { isJsonObject, type Json, type JsonObject } from '../../../lib/json.ts';
import type { Response } from '../../logical/response.ts';
import { answer } from './answer.ts';
import type { Pki } from './context.ts';
import { reasonOf } from './issuers.ts';
import { isOid } from './oid.ts';
import { readPem } from './pem.ts';
import { refusal, Refused } from './refused.ts';
import { crlPem } from './render.ts';
import { serialContent, showSerial } from './serial.ts';
import { openSigner, type Signer } from './signer.ts';
import { parseTime } from './validity.ts';
import { algorithmFor } from './x509/algorithms.ts';
import { makeCrl, readCrl, type RevokedEntry } from './x509/crl.ts';
import { extension, OID } from './x509/extensions.ts';

export interface ListRequest {
  readonly crl_number: number;
  readonly delta_crl_base_number: number;
  readonly next_update: string;
  readonly format: string;
}

/** One list of the entries of several, which the issuer's key signed. */
export async function resignCrls(
  pki: Pki,
  ref: string,
  fields: ListRequest & { readonly crls: readonly string[] },
): Promise<Response> {
  const settled = settle(fields);
  if (settled instanceof Refused) return refusal(settled);
  const signer = await openSigner(pki, ref, 'crl-signing');
  if (signer instanceof Refused) return refusal(new Refused(reasonOf(signer)));
  const entries = new Map<string, RevokedEntry>();
  const warnings: string[] = [];
  for (const [index, pem] of fields.crls.entries()) {
    const blocks = readPem(pem);
    const [block] = blocks ?? [];
    if (block === undefined || blocks?.length !== 1)
      return refusal(new Refused(`failed decoding crl ${index}: invalid crl; should be one PEM block only`));
    const list = readCrl(block.der, signer.certificate);
    if (list === undefined) return refusal(new Refused(`failed decoding crl ${index}: x509: malformed crl`));
    if (list === 'unsigned')
      return refusal(new Refused(`CRL index: ${index} was not signed by requested issuer`));
    for (const entry of list) {
      const serial = showSerial(entry.serial);
      const known = entries.get(serial);
      if (known !== undefined && known.time !== entry.time) {
        warnings.push(
          `Duplicate serial ${serial} with different revocation times detected, using oldest revocation time`,
        );
      }
      if (known === undefined || known.time > entry.time) entries.set(serial, entry);
    }
  }
  return sign(pki, signer, [...entries.values()], [], settled, warnings);
}

/** A list of entries that the request gives. */
export async function signRevocationList(
  pki: Pki,
  ref: string,
  fields: ListRequest & { readonly revoked_certs: Json; readonly extensions: Json },
): Promise<Response> {
  const settled = settle(fields);
  if (settled instanceof Refused) return refusal(settled);
  const entries = readEntries(fields.revoked_certs);
  if (entries instanceof Refused) return refusal(entries);
  const extensions = readExtensions(fields.extensions);
  if (extensions instanceof Refused) return refusal(extensions);
  const signer = await openSigner(pki, ref, 'crl-signing');
  if (signer instanceof Refused) return refusal(new Refused(reasonOf(signer)));
  return sign(pki, signer, entries, extensions, settled, []);
}

interface Settled {
  readonly number: number;
  readonly base: number | undefined;
  readonly validFor: number;
  readonly format: 'pem' | 'der';
}

function settle(fields: ListRequest): Settled | Refused {
  const validFor = parseDuration(fields.next_update);
  if (validFor === undefined) return new Refused('invalid value for next_update: time: invalid duration');
  if (validFor <= 0) return new Refused('next_update parameter must be greater than 0');
  if (fields.crl_number < 0) return new Refused('crl_number parameter must be 0 or greater');
  if (fields.delta_crl_base_number < -1)
    return new Refused('delta_crl_base_number parameter must be -1 or greater');
  const format = fields.format.toLowerCase();
  if (format !== 'pem' && format !== 'der') return new Refused(`unknown format value of ${fields.format}`);
  const base = fields.delta_crl_base_number === -1 ? undefined : fields.delta_crl_base_number;
  return { number: fields.crl_number, base, validFor, format };
}

async function sign(
  pki: Pki,
  { issuer, certificate, key }: Signer,
  entries: readonly RevokedEntry[],
  extensions: readonly Extension[],
  { number, base, validFor, format }: Settled,
  warnings: readonly string[],
): Promise<Response> {
  const now = pki.clock.now();
  const crl = await makeCrl(
    {
      entries,
      number,
      ...(base === undefined ? {} : { base }),
      thisUpdate: now,
      nextUpdate: now + validFor * 1000,
      extensions,
    },
    certificate,
    key,
    issuer.revocationAlgorithm || algorithmFor(key),
  );
  return answer({ crl: format === 'der' ? toBase64(crl) : crlPem(crl) }, warnings);
}

function readEntries(given: Json): RevokedEntry[] | Refused {
  const entries: RevokedEntry[] = [];
  const seen = new Map<string, number>();
  for (const [index, item] of (Array.isArray(given) ? given : []).entries()) {
    if (!isJsonObject(item)) return new Refused(`revoked_certs entry ${index} not a map`);
    const text = item['serial_number'];
    const serial = typeof text === 'string' ? serialContent(text) : undefined;
    if (serial === undefined)
      return new Refused(
        `failed parsing serial_number from entry ${index}: ${text === undefined ? "missing 'serial_number' field" : "'serial_number' failed converting to bytes"}`,
      );
    const before = seen.get(showSerial(serial));
    if (before !== undefined) {
      return new Refused(
        `duplicate serial number: ${showSerial(serial)}, original entry ${before} and ${index}`,
      );
    }
    seen.set(showSerial(serial), index);
    const time = readTime(item);
    if (time instanceof Refused)
      return new Refused(`failed parsing revocation_time from entry ${index}: ${time.message}`);
    const extensions = readExtensions(item['extensions'] ?? []);
    if (extensions instanceof Refused)
      return new Refused(`failed parsing extensions from entry ${index}: ${extensions.message}`);
    entries.push({ serial, time, extensions });
  }
  return entries;
}

function readTime(item: JsonObject): number | Refused {
  const time = item['revocation_time'];
  if (time === undefined) return new Refused("missing 'revocation_time' field");
  if (typeof time === 'number') return time * 1000;
  if (typeof time !== 'string') return new Refused('not a time');
  return /^\d+$/.test(time) ? Number(time) * 1000 : parseTime(time);
}

const RESERVED: Readonly<Record<string, string>> = {
  [OID.authorityKeyIdentifier]: 'authority key object identifier',
  [OID.crlNumber]: 'crl number object identifier',
  [OID.deltaCrlIndicator]: 'delta crl object identifier',
};

function readExtensions(given: Json): Extension[] | Refused {
  const extensions: Extension[] = [];
  for (const [index, item] of (Array.isArray(given) ? given : []).entries()) {
    if (!isJsonObject(item)) return new Refused(`extension entry ${index} not a map`);
    const { id, critical, value } = item;
    const bad = (why: string): Refused => new Refused(`failed parsing extension entry ${index}: ${why}`);
    if (typeof id !== 'string') return bad('missing id field');
    if (!isOid(id)) return bad(`failed parsing asn1 object identifier ${id}`);
    const reserved = RESERVED[id];
    if (reserved !== undefined) return bad(`${reserved} (${id}) is reserved`);
    if (typeof value !== 'string') return bad("missing 'value' field");
    const bytes = fromBase64(value);
    if (bytes === undefined) return bad("failed base64 decoding 'value' field");
    if (extensions.some(({ extnID }) => extnID === id)) return new Refused(`duplicate extension id: ${id}`);
    extensions.push(extension(id, bytes, critical === true || critical === 'true'));
  }
  return extensions;
}
