import { type Backend, PathTable } from '../../logical/logical.ts';
import { Pki, type PkiPorts } from './context.ts';
import { endLease } from './lease.ts';
import { crlConfigPaths } from './path-config-crl.ts';
import { defaultPaths } from './path-config-defaults.ts';
import { configPaths } from './path-config.ts';
import { fetchPaths } from './path-fetch.ts';
import { issuePaths } from './path-issue.ts';
import { issuerPaths } from './path-issuers.ts';
import { keyPaths } from './path-keys.ts';
import { revokePaths } from './path-revoke.ts';
import { rolePaths } from './path-roles.ts';
import { rootPaths } from './path-root.ts';
import { tidyPaths } from './path-tidy.ts';

/**
 * PKI: authorities that issue, list and revoke X.509 certificates (RFC 5280).
 *
 * x509/ writes and reads certificates, requests, lists and OCSP messages, and knows nothing of roles or storage: the
 * encoding is the library's, the cryptography OpenSSL's. issuers.ts keeps authorities and their keys; role.ts and
 * names.ts and validity.ts decide what may be issued; issue.ts, root.ts and intermediate.ts do it. revocation.ts,
 * crl-build.ts and ocsp.ts tell what is not good any more. path-*.ts are tables; they load the rest when it is needed,
 * because most engines have no authority, and the library is large.
 *
 * I1  Changes of issuers, keys, revocations and lists happen one after the other, each in one atomic write: a
 *     certificate that is answered as revoked is on record, and on the list unless lists are made later.
 * I2  A certificate is kept before it is answered, unless its role says no_store.
 * I3  An authority's private key leaves only with the answer that made it, and only when it was asked for as exported.
 *     A leaf's key leaves with its answer, and is not kept.
 * I4  What a role does not allow is refused by a sentence that names what was asked for.
 * I5  Numbers of an issuer's lists only grow, complete ones and deltas together.
 */
export function createPki(ports: PkiPorts): Backend {
  const pki = new Pki(ports);
  return {
    type: 'pki',
    revokeSecret: (lease) => endLease(pki, lease),
    paths: new PathTable([
      ...rolePaths(pki),
      ...issuePaths(pki),
      ...rootPaths(pki),
      ...issuerPaths(pki),
      ...keyPaths(pki),
      ...revokePaths(pki),
      ...fetchPaths(pki),
      ...configPaths(pki),
      ...crlConfigPaths(pki),
      ...defaultPaths(pki),
      ...tidyPaths(pki),
    ]),
  };
}
