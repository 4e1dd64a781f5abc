import type { KeyObject } from 'node:crypto';
import { toBase64 } from '../../../lib/bytes.ts';
import type { LogicalRequest } from '../../logical/request.ts';
import type { Response } from '../../logical/response.ts';
import { answer } from './answer.ts';
import { type Content, issueWith, policiesOf } from './build.ts';
import type { Pki } from './context.ts';
import { readCsr } from './csr-key.ts';
import { fillTemplates } from './identity-template.ts';
import { type KeyType, settleKey } from './key-type.ts';
import { withLease } from './lease.ts';
import { decideNames, type NameRequest } from './names.ts';
import { failed, refusal, Refused } from './refused.ts';
import { certificatePem, formatOf, pemBundle, privateMembers, seconds, showCertificate } from './render.ts';
import { getRole, type Role } from './role.ts';
import { serialKey } from './serial.ts';
import { openSigner, type Signer } from './signer.ts';
import { decideValidity, type TimeRequest } from './validity.ts';
import { verbatimRole } from './verbatim-role.ts';
import type { Certificate } from './x509/certificate.ts';
import { OID } from './x509/extensions.ts';
import { generateKey, spkiOf } from './x509/keys.ts';
import { nameOf } from './x509/name.ts';
import type { SigningRequest } from './x509/request.ts';
import { noNames } from './x509/san.ts';
import { extendedUsages, keyUsageFlags } from './x509/usage.ts';

/** What every request for a certificate has. */
export interface LeafRequest extends NameRequest, TimeRequest {
  readonly format: string;
  readonly private_key_format: string;
  readonly remove_roots_from_chain: boolean;
  /** Undefined where the role decides. */
  readonly issuer_ref: string | undefined;
}

interface Leaf {
  readonly signer: Signer;
  readonly certificate: Certificate;
  /** Undefined where the client has it. */
  readonly key: KeyObject | undefined;
  readonly warnings: readonly string[];
}

/** issue: a certificate with a new key. */
export async function issue(
  pki: Pki,
  request: LogicalRequest,
  roleName: string,
  fields: LeafRequest & { readonly key_type: string | undefined; readonly key_bits: number | undefined },
): Promise<Response> {
  const stored = await getRole(pki.storage, roleName);
  if (stored === undefined) return refusal(new Refused(`unknown role: ${roleName}`));
  let role = stored;
  const warnings: string[] = [];
  if (role.key_type === 'any') {
    if (fields.key_type === undefined) {
      return refusal(
        new Refused(
          'role key type "any" not allowed for issuing certificates without providing key_type and/or key_bits request parameters',
        ),
      );
    }
    const bits = fields.key_bits ?? role.key_bits;
    const settled = settleKey(fields.key_type, bits, role.signature_bits);
    if (settled instanceof Refused) return refusal(failed(`failed to validate role: ${settled.message}`));
    role = {
      ...role,
      key_type: fields.key_type,
      key_bits: settled.keyBits,
      signature_bits: settled.signatureBits,
    };
  } else if (fields.key_type !== undefined || fields.key_bits !== undefined)
    warnings.push('parameters key_type and key_bits ignored as role had specific values');
  return finish(pki, request, role, fields, warnings, async (signer, prepared) => {
    const shape = { keyType: role.key_type as KeyType, keyBits: role.key_bits };
    const content = decide(pki, request, prepared, fields, signer, undefined);
    if (content instanceof Refused) return content;
    const key = await generateKey(shape);
    const certificate = await issueWith(signer, content, spkiOf(key), pki.random);
    if (certificate instanceof Refused) return certificate;
    return { signer, certificate, key, warnings: content.warnings };
  });
}

/** sign: a certificate for a client's key, as far as a role allows. */
export async function sign(
  pki: Pki,
  request: LogicalRequest,
  roleName: string,
  fields: LeafRequest & { readonly csr: string },
): Promise<Response> {
  const role = await getRole(pki.storage, roleName);
  if (role === undefined) return refusal(new Refused(`unknown role: ${roleName}`));
  return signRequest(pki, request, role, fields, false);
}

/** sign-verbatim: a certificate with everything that a request holds. The role only limits its time. */
export async function signVerbatim(
  pki: Pki,
  request: LogicalRequest,
  fields: LeafRequest & { readonly csr: string } & Parameters<typeof verbatimRole>[0],
  roleName: string,
): Promise<Response> {
  const role = roleName === '' ? undefined : await getRole(pki.storage, roleName);
  if (roleName !== '' && role === undefined) return refusal(new Refused(`unknown role: ${roleName}`));
  return signRequest(pki, request, verbatimRole(fields, role), fields, true);
}

function signRequest(
  pki: Pki,
  request: LogicalRequest,
  role: Role,
  fields: LeafRequest & { readonly csr: string },
  verbatim: boolean,
): Promise<Response> {
  const warnings: string[] = [];
  if (role.use_csr_common_name && fields.common_name !== '')
    warnings.push(
      'the common_name field was provided but the role is set with "use_csr_common_name" set to true',
    );
  if (role.use_csr_sans && fields.alt_names !== '')
    warnings.push('the alt_names field was provided but the role is set with "use_csr_sans" set to true');
  return finish(pki, request, role, fields, warnings, async (signer, prepared) => {
    const csr = readCsr(fields.csr, prepared);
    if (csr instanceof Refused) return csr;
    const decided = decide(pki, request, prepared, fields, signer, csr);
    if (decided instanceof Refused) return decided;
    const ignored =
      !role.basic_constraints_valid_for_non_ca &&
      csr.extensions.some(({ extnID }) => extnID === OID.basicConstraints);
    const content = verbatim ? { ...decided, ...verbatimContent(csr, decided, fields) } : decided;
    const certificate = await issueWith(signer, content, csr.spki, pki.random);
    if (certificate instanceof Refused) return certificate;
    const told = ignored
      ? ['specified CSR contained a Basic Constraints extension that was ignored during issuance']
      : [];
    return { signer, certificate, key: undefined, warnings: [...decided.warnings, ...told] };
  });
}

// All but what would make an authority of it. Other names that are asked for besides stand with the request's own.
function verbatimContent(
  csr: SigningRequest,
  { names: { others } }: Content,
  { other_sans: asked }: LeafRequest,
): Pick<Content, 'subject' | 'names' | 'extra'> {
  const dropped: readonly string[] =
    asked.length === 0 ? [OID.basicConstraints] : [OID.basicConstraints, OID.subjectAltName];
  return {
    subject: csr.subject,
    names: asked.length === 0 ? noNames : { ...(csr.names ?? noNames), others },
    extra: csr.extensions.filter(({ extnID }) => !dropped.includes(extnID)),
  };
}

async function finish(
  pki: Pki,
  request: LogicalRequest,
  role: Role,
  fields: LeafRequest,
  warnings: readonly string[],
  make: (signer: Signer, role: Role) => Promise<Leaf | Refused>,
): Promise<Response> {
  const format = formatOf(fields.format);
  if (format === undefined)
    return refusal(new Refused('the "format" path parameter must be "pem", "der", or "pem_bundle"'));
  const signer = await openSigner(pki, fields.issuer_ref ?? role.issuer_ref, 'issuing-certificates');
  if (signer instanceof Refused) return refusal(signer);
  const filled = await fillTemplates(role, request.token?.entityId ?? '', pki.templateValues);
  const full = role.generate_lease ? await request.leasePlace?.() : undefined;
  if (full !== undefined) return full;
  const leaf = await make(signer, filled);
  if (leaf instanceof Refused) return refusal(leaf);
  const { certificate, key } = leaf;
  if (!role.no_store) await pki.storage.put(`certs/${serialKey(certificate.serial)}`, certificate.der);
  const chain = fields.remove_roots_from_chain
    ? signer.chain.filter((authority) => !authority.isSelfSigned)
    : signer.chain;
  const told = answer(
    {
      certificate:
        format === 'pem_bundle'
          ? pemBundle(certificate, signer.chain, key)
          : showCertificate(certificate, format),
      issuing_ca: format === 'der' ? toBase64(signer.certificate.der) : certificatePem(signer.certificate),
      ...(chain.length === 0 ? {} : { ca_chain: chain.map((one) => showCertificate(one, format)) }),
      ...(key === undefined ? {} : privateMembers(key, format, fields.private_key_format)),
      not_before: seconds(certificate.notBefore),
      expiration: seconds(certificate.notAfter),
      serial_number: certificate.serial,
    },
    [...warnings, ...leaf.warnings],
  );
  return role.generate_lease
    ? withLease(told, certificate.serial, seconds(certificate.notAfter - pki.clock.now()))
    : told;
}

function decide(
  pki: Pki,
  request: LogicalRequest,
  role: Role,
  fields: LeafRequest,
  { certificate, issuer }: Signer,
  csr: SigningRequest | undefined,
): (Content & { readonly warnings: readonly string[] }) | Refused {
  const names = decideNames(role, fields, csr);
  if (names instanceof Refused) return names;
  const end = { notAfter: certificate.notAfter, behavior: issuer.leafNotAfter };
  const validity = decideValidity(role, fields, request.leaseTtl, end, pki.clock.now());
  if (validity instanceof Refused) return validity;
  return {
    subject: nameOf(names.subject),
    names: names.names,
    notBefore: validity.notBefore,
    notAfter: validity.notAfter,
    keyUsage: keyUsageFlags(role.key_usage),
    extKeyUsage: extendedUsages(role.ext_key_usage, role.ext_key_usage_oids, role),
    policies: policiesOf(role.policy_identifiers),
    constraints: role.basic_constraints_valid_for_non_ca ? { ca: false } : undefined,
    signatureBits: role.signature_bits,
    usePss: role.use_pss,
    warnings: validity.warnings,
  };
}
