import type { Storage } from '../../logical/storage.ts';
import { badUrl, hasUrls, noUrls, URL_FIELDS, type UrlConfig } from './config.ts';
import { checkIssuerName } from './import.ts';
import {
  certificateOf,
  ISSUER_USAGES,
  type IssuerEntry,
  type IssuerUsage,
  reasonOf,
  resolveIssuer,
  showUsage,
} from './issuers.ts';
import { failed, Refused } from './refused.ts';
import {
  canSign,
  type SignatureAlgorithm,
  signatureAlgorithm,
  signatureAlgorithmNames,
} from './x509/algorithms.ts';
import { shapeOf } from './x509/keys.ts';
import { CRL_SIGN } from './x509/usage.ts';

/** What of an issuer is to change; what is undefined stays as it is. */
export interface IssuerChange {
  readonly issuer_name?: string | undefined;
  readonly leaf_not_after_behavior?: string | undefined;
  readonly manual_chain?: readonly string[] | undefined;
  readonly usage?: readonly string[] | undefined;
  readonly revocation_signature_algorithm?: string | undefined;
  readonly issuing_certificates?: readonly string[] | undefined;
  readonly crl_distribution_points?: readonly string[] | undefined;
  readonly delta_crl_distribution_points?: readonly string[] | undefined;
  readonly ocsp_servers?: readonly string[] | undefined;
  readonly enable_aia_url_templating?: boolean | undefined;
}

/** An issuer with changes, or why not. */
export async function changeIssuer(
  storage: Storage,
  issuer: IssuerEntry,
  change: IssuerChange,
): Promise<IssuerEntry | Refused> {
  const name = change.issuer_name ?? issuer.name;
  if (name !== issuer.name) {
    const bad = await checkIssuerName(storage, name);
    if (bad !== undefined) return bad;
  }
  const leafNotAfter = change.leaf_not_after_behavior ?? issuer.leafNotAfter;
  if (leafNotAfter !== 'err' && leafNotAfter !== 'truncate' && leafNotAfter !== 'permit') {
    return new Refused(
      'Unknown value for field `leaf_not_after_behavior`. Possible values are `err`, `truncate`, and `permit`.',
    );
  }
  const usage = change.usage === undefined ? issuer.usage : changeUsage(issuer, change.usage);
  if (usage instanceof Refused) return usage;
  const algorithm =
    change.revocation_signature_algorithm === undefined
      ? issuer.revocationAlgorithm
      : changeAlgorithm(issuer, change.revocation_signature_algorithm);
  if (algorithm instanceof Refused) return algorithm;
  const urls = changeUrls(issuer.urls ?? noUrls, change);
  if (urls instanceof Refused) return urls;
  const manualChain =
    change.manual_chain === undefined
      ? issuer.manualChain
      : await changeChain(storage, issuer, change.manual_chain);
  if (manualChain instanceof Refused) return manualChain;
  const { urls: _old, ...rest } = issuer;
  return {
    ...rest,
    name,
    leafNotAfter,
    usage,
    revocationAlgorithm: algorithm,
    manualChain,
    ...(hasUrls(urls) ? { urls } : {}),
  };
}

function changeUsage(issuer: IssuerEntry, names: readonly string[]): readonly IssuerUsage[] | Refused {
  const unknown = names.find(
    (name) => name !== 'read-only' && !ISSUER_USAGES.some((usage) => usage === name),
  );
  if (unknown !== undefined) {
    return new Refused(
      `Unable to parse specified usages: [${names.join(' ')}] - valid values are ${showUsage(ISSUER_USAGES)}`,
    );
  }
  const usage = ISSUER_USAGES.filter((one) => names.includes(one));
  if (usage.join() === issuer.usage.join()) return usage;
  if (issuer.revoked !== undefined && usage.includes('issuing-certificates')) {
    return new Refused(
      'This issuer was revoked; unable to modify its usage to include certificate signing again. Reissue this certificate (preferably with a new key) and modify that entry instead.',
    );
  }
  if (usage.includes('crl-signing') && (certificateOf(issuer).keyUsage & CRL_SIGN) === 0) {
    return new Refused(
      "This issuer's underlying certificate lacks the CRLSign KeyUsage value; unable to set CRLSigningUsage on this issuer as a result.",
    );
  }
  return usage;
}

function changeAlgorithm(issuer: IssuerEntry, name: string): SignatureAlgorithm | '' | Refused {
  if (name === '') return '';
  const algorithm = signatureAlgorithm(name);
  if (algorithm === undefined) {
    return new Refused(
      `Unknown signature algorithm value: ${name} - valid values are ${signatureAlgorithmNames.join(', ')}`,
    );
  }
  const { publicKey } = certificateOf(issuer);
  if (canSign(publicKey, algorithm)) return algorithm;
  const type = { rsa: 'RSA', ec: 'ECDSA', ed25519: 'Ed25519' }[shapeOf(publicKey)?.keyType ?? 'rsa'];
  return failed(`unable to use issuer of type ${type} to sign with ${algorithm} key type`);
}

function changeUrls(old: UrlConfig, change: IssuerChange): UrlConfig | Refused {
  const urls = {
    issuing_certificates: change.issuing_certificates ?? old.issuing_certificates,
    crl_distribution_points: change.crl_distribution_points ?? old.crl_distribution_points,
    delta_crl_distribution_points: change.delta_crl_distribution_points ?? old.delta_crl_distribution_points,
    ocsp_servers: change.ocsp_servers ?? old.ocsp_servers,
    enable_templating: change.enable_aia_url_templating ?? old.enable_templating,
  };
  if (urls.enable_templating) return urls;
  for (const name of URL_FIELDS) {
    const bad = badUrl(urls[name]);
    if (bad !== undefined)
      return new Refused(`invalid URL found in Authority Information Access (AIA) parameter ${name}: ${bad}`);
  }
  return urls;
}

async function changeChain(
  storage: Storage,
  issuer: IssuerEntry,
  refs: readonly string[],
): Promise<readonly string[] | Refused> {
  const ids: string[] = [];
  for (const [index, ref] of refs.entries()) {
    const found = index === 0 && ref === 'self' ? issuer : await resolveIssuer(storage, ref);
    if (found instanceof Refused) return failed(reasonOf(found));
    if (index === 0 && found.id !== issuer.id) {
      return new Refused(`expected first cert in chain to be a self-reference, but was: ${ref}/${found.id}`);
    }
    ids.push(found.id);
  }
  return ids;
}
