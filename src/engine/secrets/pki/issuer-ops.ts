import type { JsonObject } from '../../../lib/json.ts';
import { empty, type Response } from '../../logical/response.ts';
import type { Storage } from '../../logical/storage.ts';
import { answer } from './answer.ts';
import { rebuildChains } from './chain.ts';
import { getIssuersConfig, noUrls, putConfig } from './config.ts';
import type { Pki } from './context.ts';
import { buildCrls } from './crl-build.ts';
import { changeIssuer, type IssuerChange } from './issuer-change.ts';
import {
  allIssuers,
  certificateOf,
  deleteIssuer,
  getIssuer,
  type IssuerEntry,
  issuerPem,
  putIssuer,
  reasonOf,
  resolveIssuer,
  showUsage,
} from './issuers.ts';
import { failed, refusal, Refused } from './refused.ts';
import { getRevoked, putRevoked, recordOf } from './revoked.ts';
import { countRolesOf } from './role.ts';
import { renderUrls } from './signer.ts';

/** All issuers, for everyone. */
export async function listIssuers(pki: Pki): Promise<Response | undefined> {
  const entries = await allIssuers(pki.storage);
  if (entries.length === 0) return undefined;
  const { default: defaultId } = await getIssuersConfig(pki.storage);
  const info: JsonObject = {};
  for (const { id, name, keyId, serial } of entries) {
    info[id] = {
      is_default: id === defaultId,
      issuer_name: name,
      key_id: keyId,
      serial_number: serial,
    };
  }
  return answer({ key_info: info, keys: entries.map(({ id }) => id) });
}

/** One issuer with everything that is set on it. */
export async function readIssuer(pki: Pki, ref: string): Promise<Response> {
  const issuer = await resolveIssuer(pki.storage, ref);
  return issuer instanceof Refused ? refusal(issuer) : told(pki.storage, issuer, []);
}

/** Writes or patches an issuer. */
export async function writeIssuer(pki: Pki, ref: string, change: IssuerChange): Promise<Response> {
  const done = await pki.change(async (batch) => {
    const issuer = await resolveIssuer(batch, ref);
    if (issuer instanceof Refused) return issuer;
    const changed = await changeIssuer(batch, issuer, change);
    if (changed instanceof Refused) return changed;
    await putIssuer(batch, changed);
    if (changed.manualChain.join() !== issuer.manualChain.join()) await rebuildChains(batch);
    return { before: issuer, id: issuer.id };
  });
  if (done instanceof Refused) return refusal(done);
  const issuer = await getIssuer(pki.storage, done.id);
  if (issuer === undefined) return refusal(failed(`pki issuer id ${done.id} does not exist`));
  const { name } = done.before;
  const warnings = name !== '' && name !== issuer.name ? await usedBy(pki.storage, name) : [];
  if (issuer.urls?.enable_templating === true) {
    const rendered = await renderUrls(pki.storage, issuer.urls, issuer.id);
    if (rendered instanceof Refused) {
      warnings.push(
        `issuance may fail: ${reasonOf(rendered)}\n\nConsider setting the cluster-local address if it is not already set.`,
      );
    }
  }
  return told(pki.storage, issuer, warnings);
}

/** Removes an issuer; its key stays. */
export async function removeIssuer(pki: Pki, ref: string): Promise<Response> {
  const done = await pki.change(async (batch) => {
    const issuer = await resolveIssuer(batch, ref);
    if (issuer instanceof Refused) return [];
    const warnings = issuer.name === '' ? [] : await usedBy(batch, issuer.name);
    warnings.push(...(await usedBy(batch, issuer.id)));
    await deleteIssuer(batch, issuer.id);
    const config = await getIssuersConfig(batch);
    if (config.default === issuer.id) {
      await putConfig(batch, 'issuers', { ...config, default: '' });
      warnings.push(
        `Deleted issuer ${issuer.id} (via issuer_ref ${ref}); this was configured as the default issuer. Operations without an explicit issuer will not work until a new default is configured.`,
        ...(await usedBy(batch, 'default')),
      );
    }
    for (const other of await allIssuers(batch)) {
      if (!other.manualChain.includes(issuer.id)) continue;
      await putIssuer(batch, { ...other, manualChain: other.manualChain.filter((id) => id !== issuer.id) });
    }
    await rebuildChains(batch);
    const built = await buildCrls(pki, batch, true);
    return [...warnings, ...built.map((text, index) => `Warning ${index + 1} during CRL rebuild: ${text}`)];
  });
  if (done instanceof Refused) return refusal(done);
  return done.length === 0 ? empty : { kind: 'data', data: null, warnings: done };
}

/** Marks an issuer as revoked: it issues no more, and stands on the list of the issuer above it when that is here. */
export async function revokeIssuer(pki: Pki, ref: string): Promise<Response> {
  const done = await pki.change(async (batch) => {
    const issuer = await resolveIssuer(batch, ref);
    if (issuer instanceof Refused || issuer.revoked !== undefined) return issuer;
    const now = pki.clock.now();
    const changed: IssuerEntry = {
      ...issuer,
      usage: issuer.usage.filter((usage) => usage !== 'issuing-certificates'),
      revoked: { time: Math.floor(now / 1000), rfc3339: new Date(now).toISOString() },
    };
    await putIssuer(batch, changed);
    const certificate = certificateOf(issuer);
    const above = (await allIssuers(batch)).find(
      (other) =>
        other.id !== issuer.id && !certificate.isSelfSigned && certificate.isSignedBy(certificateOf(other)),
    );
    if (above !== undefined && (await getRevoked(batch, certificate.serial)) === undefined)
      await putRevoked(batch, certificate.serial, recordOf(certificate, above.id, now));
    await buildCrls(pki, batch, false);
    return changed;
  });
  return done instanceof Refused ? refusal(done) : told(pki.storage, done, []);
}

async function usedBy(storage: Storage, ref: string): Promise<string[]> {
  const count = await countRolesOf(storage, ref);
  return count === 0 ? [] : [`${count} roles reference ${ref}`];
}

async function told(storage: Storage, issuer: IssuerEntry, warnings: string[]): Promise<Response> {
  const chain = await Promise.all(issuer.chain.map((id) => getIssuer(storage, id)));
  const { urls = noUrls, revoked } = issuer;
  const members: JsonObject = {
    issuer_id: issuer.id,
    issuer_name: issuer.name,
    key_id: issuer.keyId,
    certificate: issuerPem(issuer),
    manual_chain: issuer.manualChain.length === 0 ? null : [...issuer.manualChain],
    ca_chain: chain.filter((entry) => entry !== undefined).map(issuerPem),
    leaf_not_after_behavior: issuer.leafNotAfter,
    usage: showUsage(issuer.usage),
    revocation_signature_algorithm: issuer.revocationAlgorithm,
    revoked: revoked !== undefined,
    issuing_certificates: [...urls.issuing_certificates],
    crl_distribution_points: [...urls.crl_distribution_points],
    delta_crl_distribution_points: [...urls.delta_crl_distribution_points],
    ocsp_servers: [...urls.ocsp_servers],
    ...(issuer.urls === undefined ? {} : { enable_aia_url_templating: issuer.urls.enable_templating }),
    ...(revoked === undefined
      ? {}
      : { revocation_time: revoked.time, revocation_time_rfc3339: revoked.rfc3339 }),
  };
  if (issuer.revocationAlgorithm.endsWith('PSS')) {
    warnings.push(
      'Issuer uses a PSS Revocation Signature Algorithm. This algorithm will be downgraded to PKCS#1v1.5 signature scheme on OCSP responses, due to limitations in the OCSP library.',
    );
  }
  return answer(members, warnings);
}
