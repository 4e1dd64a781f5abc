import type { LogicalRequest } from '../../logical/request.ts';
import type { Response } from '../../logical/response.ts';
import { answer } from './answer.ts';
import { issueSelf } from './build.ts';
import { type CaRequest, decideAuthority } from './ca-content.ts';
import { type CaKeyRequest, openCaKey } from './ca-key.ts';
import { authorityWarnings } from './ca-warnings.ts';
import { getIssuersConfig, getUrls, noUrls, putConfig } from './config.ts';
import type { Pki } from './context.ts';
import { buildCrls } from './crl-build.ts';
import { checkIssuerName, checkKeyName, followLatest, importIssuer, importKey } from './import.ts';
import { allIssuers, allKeys, deleteIssuer, deleteKey, putIssuer, reasonOf } from './issuers.ts';
import { failed, refusal, Refused } from './refused.ts';
import { certificatePem, formatOf, privateMembers, seconds, showCertificate, showPrivate } from './render.ts';
import { serialKey } from './serial.ts';
import { renderUrls } from './signer.ts';

export type RootRequest = CaRequest &
  CaKeyRequest & { readonly issuer_name: string; readonly key_name: string };

/**
 * Makes a root: key, certificate, chains, defaults and the first list are written together.
 * @param rotates whether it is named `next` unless it has a name, or that name is used
 */
export async function generateRoot(
  pki: Pki,
  request: LogicalRequest,
  fields: RootRequest,
  rotates: boolean,
): Promise<Response> {
  const format = formatOf(fields.format);
  if (format === undefined)
    return refusal(new Refused('the "format" path parameter must be "pem", "der", or "pem_bundle"'));
  const early =
    (await checkIssuerName(pki.storage, fields.issuer_name)) ??
    (await checkKeyName(pki.storage, fields.key_name));
  if (early !== undefined) return refusal(early);
  const content = decideAuthority(fields, request.leaseTtl, pki.clock.now(), undefined, undefined);
  if (content instanceof Refused) return refusal(content);
  const opened = await openCaKey(pki, fields);
  if (opened instanceof Refused) return refusal(opened);

  const { key, exported } = opened;
  const made = await pki.change(async (batch) => {
    const name = await nameFor(fields.issuer_name, rotates, batch);
    const bad = (await checkIssuerName(batch, name)) ?? (await checkKeyName(batch, fields.key_name));
    if (bad !== undefined) return bad;
    const warnings: string[] = [];
    const config = await getUrls(batch);
    let urls = await renderUrls(batch, config, '');
    if (urls instanceof Refused) {
      const other = await renderUrls(batch, config, 'empty-issuer-id');
      if (other instanceof Refused) return failed(`unable to parse AIA URL information: ${reasonOf(other)}`);
      warnings.push(
        'When generating root CA, found global AIA configuration with issuer_id template unsuitable for root generation. This AIA configuration has been ignored. To include AIA on this root CA, set the global AIA configuration to not include issuer_id and instead to refer to a static issuer name.',
      );
      urls = await renderUrls(batch, noUrls, '');
      if (urls instanceof Refused) return urls;
    }
    const certificate = await issueSelf(key, content, urls, pki.random);
    const keyEntry = await importKey(batch, pki.random, key, fields.key_name);
    if (keyEntry instanceof Refused) return keyEntry;
    const issuer = await importIssuer(batch, pki.random, certificate, name);
    if (issuer instanceof Refused) return issuer;
    await putIssuer(batch, {
      ...issuer.entry,
      revocationAlgorithm: certificate.signatureAlgorithm ?? '',
    });
    await batch.put(`certs/${serialKey(certificate.serial)}`, certificate.der);
    await followLatest(batch, issuer.entry.id);
    const crlWarnings = await buildCrls(pki, batch, true);
    return { certificate, warnings, crlWarnings, issuer: issuer.entry, key: keyEntry.entry };
  });
  if (made instanceof Refused) return refusal(made);

  const { certificate } = made;
  const text = showCertificate(certificate, format);
  return answer(
    {
      certificate:
        format === 'pem_bundle' && exported !== undefined
          ? `${showPrivate(exported, 'pem', 'der')}\n${certificatePem(certificate)}`
          : text,
      issuing_ca: text,
      ...(exported === undefined ? {} : privateMembers(exported, format, fields.private_key_format)),
      expiration: seconds(certificate.notAfter),
      serial_number: certificate.serial,
      issuer_id: made.issuer.id,
      issuer_name: made.issuer.name,
      key_id: made.key.id,
      key_name: made.key.name,
    },
    [
      ...authorityWarnings(certificate),
      ...made.crlWarnings.map((text, index) => `Warning ${index + 1} during CRL rebuild: ${text}`),
      ...(certificate.pathLength === 0
        ? [
            'Max path length of the generated certificate is zero. This certificate cannot be used to issue intermediate CA certificates.',
          ]
        : []),
      ...content.warnings,
      ...made.warnings,
    ],
  );
}

async function nameFor(
  name: string,
  rotates: boolean,
  storage: Parameters<typeof allIssuers>[0],
): Promise<string> {
  if (name !== '' || !rotates) return name;
  return (await allIssuers(storage)).some((entry) => entry.name === 'next') ? '' : 'next';
}

/** Removes all issuers and keys. */
export async function deleteRoot(pki: Pki): Promise<Response> {
  const done = await pki.change(async (batch) => {
    for (const { id } of await allIssuers(batch)) await deleteIssuer(batch, id);
    for (const { id } of await allKeys(batch)) await deleteKey(batch, id);
    await putConfig(batch, 'issuers', { ...(await getIssuersConfig(batch)), default: '' });
    await putConfig(batch, 'keys', { default: '' });
    await buildCrls(pki, batch, true);
    return true;
  });
  if (done instanceof Refused) return refusal(done);
  return {
    kind: 'data',
    data: null,
    warnings: [
      'DELETE /root deletes all keys and issuers; prefer the new DELETE /key/:key_ref and DELETE /issuer/:issuer_ref for finer granularity, unless removal of all keys and issuers is desired.',
    ],
  };
}
