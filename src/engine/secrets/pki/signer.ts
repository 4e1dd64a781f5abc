import type { Storage } from '../../logical/storage.ts';
import { badUrl, getCluster, getUrls, hasUrls, type UrlConfig } from './config.ts';
import {
  certificateOf,
  getIssuer,
  getKey,
  type IssuerEntry,
  type IssuerUsage,
  reasonOf,
  resolveIssuer,
  showUsage,
} from './issuers.ts';
import type { Pki } from './context.ts';
import { failed, Refused } from './refused.ts';
import { signingKeyOf } from './signing.ts';
import type { SigningKey } from './x509/signing-key.ts';
import type { Certificate } from './x509/certificate.ts';
import type { AiaUrls } from './x509/extensions.ts';

/** An issuer that can sign. */
export interface Signer {
  readonly issuer: IssuerEntry;
  readonly certificate: Certificate;
  readonly key: SigningKey;
  readonly urls: AiaUrls;
  /** The issuer's own certificate first. */
  readonly chain: readonly Certificate[];
}

/** An issuer by its reference, with its key, for a purpose that it is allowed to have. */
export async function openSigner(
  pki: Pick<Pki, 'storage' | 'openManagedKey'>,
  ref: string,
  usage: IssuerUsage,
): Promise<Signer | Refused> {
  const { storage } = pki;
  const issuer = await resolveIssuer(storage, ref);
  if (issuer instanceof Refused)
    return failed(`could not fetch the CA certificate (was one set?): ${reasonOf(issuer)}`);
  if (!issuer.usage.includes(usage))
    return failed(`error fetching CA certificate: ${missingUsage(issuer, usage)}`);
  const entry = issuer.keyId === '' ? undefined : await getKey(storage, issuer.keyId);
  if (entry === undefined) {
    return failed(
      `could not fetch the CA certificate (was one set?): unable to fetch corresponding key for issuer ${issuer.id}; unable to use this issuer for signing`,
    );
  }
  const urls = await urlsOf(storage, issuer);
  if (urls instanceof Refused)
    return failed(`error fetching CA certificate: unable to fetch AIA URL information: ${reasonOf(urls)}`);
  const key = await signingKeyOf(pki, entry);
  if (key instanceof Refused) return failed(`error fetching CA certificate: ${reasonOf(key)}`);
  const chain = await chainOf(storage, issuer);
  return { issuer, certificate: certificateOf(issuer), key, urls, chain };
}

export function missingUsage(issuer: IssuerEntry, usage: IssuerUsage): string {
  const name = issuer.name === '' ? '' : ` / name:${issuer.name}`;
  return `error while attempting to use issuer ${issuer.id}: requested usage ${usage} for issuer [id:${issuer.id}${name}] but only had usage ${showUsage(issuer.usage)}`;
}

/** The certificates of an issuer's chain, its own first. */
export async function chainOf(storage: Storage, issuer: IssuerEntry): Promise<Certificate[]> {
  const entries = await Promise.all(issuer.chain.map((id) => getIssuer(storage, id)));
  return entries.filter((entry) => entry !== undefined).map(certificateOf);
}

async function urlsOf(storage: Storage, issuer: IssuerEntry): Promise<AiaUrls | Refused> {
  const own = issuer.urls;
  const config = own !== undefined && hasUrls(own) ? own : await getUrls(storage);
  return renderUrls(storage, config, issuer.id);
}

/** URLs with their templates filled in. @param issuerId '' while there is no issuer yet */
export async function renderUrls(
  storage: Storage,
  config: UrlConfig,
  issuerId: string,
): Promise<AiaUrls | Refused> {
  const cluster = config.enable_templating ? await getCluster(storage) : undefined;
  const render = (name: string, urls: readonly string[]): readonly string[] | Refused => {
    if (cluster === undefined) return urls;
    const rendered: string[] = [];
    for (const url of urls) {
      if (url.includes('{{cluster_path}}') && cluster.path === '')
        return failed('unable to template AIA URLs as we lack local cluster address information (path)');
      if (url.includes('{{cluster_aia_path}}') && cluster.aia_path === '')
        return failed('unable to template AIA URLs as we lack local cluster address information (aia_path)');
      if (url.includes('{{issuer_id}}') && issuerId === '')
        return failed('unable to template AIA URLs as we lack an issuer_id for this operation');
      rendered.push(
        url
          .replaceAll('{{cluster_path}}', cluster.path)
          .replaceAll('{{cluster_aia_path}}', cluster.aia_path)
          .replaceAll('{{issuer_id}}', issuerId),
      );
    }
    const bad = badUrl(rendered);
    return bad === undefined ? rendered : failed(`error validating templated ${name}; invalid URI: ${bad}`);
  };
  const issuingCertificates = render('issuing_certificates', config.issuing_certificates);
  if (issuingCertificates instanceof Refused) return issuingCertificates;
  const crlDistributionPoints = render('crl_distribution_points', config.crl_distribution_points);
  if (crlDistributionPoints instanceof Refused) return crlDistributionPoints;
  const deltaCrlDistributionPoints = render(
    'delta_crl_distribution_points',
    config.delta_crl_distribution_points,
  );
  if (deltaCrlDistributionPoints instanceof Refused) return deltaCrlDistributionPoints;
  const ocspServers = render('ocsp_servers', config.ocsp_servers);
  if (ocspServers instanceof Refused) return ocspServers;
  return { issuingCertificates, crlDistributionPoints, deltaCrlDistributionPoints, ocspServers };
}
