import type { KeyObject } from 'node:crypto';
import type { JsonObject } from '../../../lib/json.ts';
import type { Response } from '../../logical/response.ts';
import { answer } from './answer.ts';
import { NO_URLS } from './ca-warnings.ts';
import { getIssuersConfig, getUrls, hasUrls, putConfig } from './config.ts';
import type { Pki } from './context.ts';
import { buildCrls } from './crl-build.ts';
import { importIssuer, importKey } from './import.ts';
import { getIssuer } from './issuers.ts';
import { readPem } from './pem.ts';
import { refusal, Refused } from './refused.ts';
import { Certificate } from './x509/certificate.ts';
import { readPrivateKey } from './x509/keys.ts';

interface Bundle {
  readonly keys: readonly KeyObject[];
  readonly certificates: readonly Certificate[];
}

/** Takes in authorities' certificates, and keys where they are allowed; all of a bundle or nothing. */
export async function importBundle(pki: Pki, pem: string, keysAllowed: boolean): Promise<Response> {
  const bundle = readBundle(pem, keysAllowed);
  if (bundle instanceof Refused) return refusal(bundle);
  const done = await pki.change(async (batch) => {
    const keys = { created: [] as string[], existing: [] as string[] };
    const issuers = { created: [] as string[], existing: [] as string[] };
    for (const [index, key] of bundle.keys.entries()) {
      const imported = await importKey(batch, pki.random, key, '');
      if (imported instanceof Refused) return new Refused(`Error parsing key ${index}: ${imported.message}`);
      (imported.existed ? keys.existing : keys.created).push(imported.entry.id);
    }
    for (const [index, certificate] of bundle.certificates.entries()) {
      const imported = await importIssuer(batch, pki.random, certificate, '');
      if (imported instanceof Refused)
        return new Refused(`Error parsing issuer ${index}: ${imported.message}`);
      (imported.existed ? issuers.existing : issuers.created).push(imported.entry.id);
    }
    const mapping: Record<string, string> = {};
    for (const id of [...issuers.created, ...issuers.existing])
      mapping[id] = (await getIssuer(batch, id))?.keyId ?? '';
    const warnings: string[] = [];
    const withKeys = issuers.created.filter((id) => mapping[id] !== '');
    const config = await getIssuersConfig(batch);
    if (config.default_follows_latest_issuer) {
      const [only] = withKeys;
      if (only !== undefined && withKeys.length === 1)
        await putConfig(batch, 'issuers', { ...config, default: only });
      else if (withKeys.length > 1) {
        warnings.push(
          'Default issuer left unchanged: could not select new issuer automatically as multiple imported issuers had key material in Vault.',
        );
      }
    }
    const { default: defaultId } = await getIssuersConfig(batch);
    if (mapping[defaultId] === '') {
      warnings.push(
        'The default issuer has no key associated with it. Some operations like issuing certificates and signing CRLs will be unavailable with the requested default issuer until a key is imported or the default issuer is changed.',
      );
    }
    if (withKeys.length > 1 && issuers.created.includes(defaultId)) {
      warnings.push(
        'The imported bundle contained multiple certs matching keys, the default issuer that was selected should be verified and manually changed if incorrect.',
      );
    }
    if (!hasUrls(await getUrls(batch))) warnings.push(NO_URLS);
    if (issuers.created.length > 0) {
      const built = await buildCrls(pki, batch, true);
      warnings.push(...built.map((text, index) => `Warning ${index + 1} during CRL rebuild: ${text}`));
    }
    return { keys, issuers, mapping, warnings };
  });
  if (done instanceof Refused) return refusal(done);
  const members: JsonObject = {
    mapping: done.mapping,
    imported_keys: orNull(done.keys.created),
    imported_issuers: orNull(done.issuers.created),
    existing_keys: orNull(done.keys.existing),
    existing_issuers: orNull(done.issuers.existing),
  };
  return answer(members, done.warnings);
}

const orNull = (ids: string[]): string[] | null => (ids.length === 0 ? null : ids);

function readBundle(pem: string, keysAllowed: boolean): Bundle | Refused {
  if (pem === '') return new Refused("'pem_bundle' and 'certificate' parameters were empty");
  if (pem.length < 75) {
    return new Refused(
      'provided data for import was too short; perhaps a path was passed to the API rather than the contents of a PEM file',
    );
  }
  const blocks = readPem(pem);
  if (blocks === undefined) return new Refused('error when parsing block 1: invalid PEM data');
  const keys: KeyObject[] = [];
  const certificates: Certificate[] = [];
  for (const { label, der } of blocks) {
    if (label === 'CERTIFICATE' || label === 'X509 CERTIFICATE') {
      const certificate = Certificate.read(der);
      if (certificate === undefined)
        return new Refused(`Error parsing issuer ${certificates.length}: x509: malformed certificate`);
      certificates.push(certificate);
    } else if (!/^(?:X509 )?CRL$|^EC PARAM/.test(label)) {
      if (!keysAllowed) {
        return new Refused(
          'private keys found in the PEM bundle but not allowed by the path; use /issuers/import/bundle',
        );
      }
      const key = readPrivateKey(der);
      if (key === undefined) return new Refused(`Error parsing key ${keys.length}: unknown form of key`);
      keys.push(key);
    }
  }
  return { keys, certificates };
}
