import type { JsonObject } from '../../../../lib/json.ts';
import type { TotpMethod } from '../../../identity/mfa/model.ts';
import type { IdentityStore } from '../../../identity/store.ts';
import type { FieldValues } from '../../../logical/fields.ts';
import { type Path, path } from '../../../logical/logical.ts';
import { badRequest, data, empty, keys, notFound, type Response } from '../../../logical/response.ts';

const MAX_KEY_SIZE = 1024;

const fields = {
  method_id: { type: 'string', description: 'The unique identifier for this MFA method.' },
  method_name: { type: 'string', description: 'The unique name identifier for this MFA method.' },
  issuer: { type: 'string', description: "The name of the key's issuing organization." },
  period: {
    type: 'duration',
    description: 'The length of time used to generate a counter for the TOTP token calculation.',
  },
  key_size: { type: 'int', description: 'Determines the size in bytes of the generated key.' },
  qr_size: { type: 'int', description: 'The pixel size of the generated square QR code.' },
  algorithm: {
    type: 'string',
    description: 'The hashing algorithm used to generate the TOTP token: SHA1, SHA256 or SHA512.',
  },
  digits: { type: 'int', description: 'The number of digits in the generated TOTP token: 6 or 8.' },
  skew: {
    type: 'int',
    description: 'The number of delay periods that are allowed when validating a TOTP token: 0 or 1.',
  },
  max_validation_attempts: { type: 'int', description: 'Max number of allowed validation attempts.' },
} as const;

/** mfa/method: what second factors there are. */
export function mfaMethodPaths({ mfa, records }: IdentityStore): Path[] {
  const list = async (): Promise<Response> => {
    const info: JsonObject = {};
    for (const method of await mfa.methods()) info[method.id] = render(method);
    return keys(Object.keys(info), { key_info: info });
  };
  const read = async (id: string): Promise<Response> => {
    const method = await mfa.method(id);
    return method === undefined ? notFound : data(render(method));
  };
  const save = async (values: FieldValues<typeof fields>): Promise<Response> => {
    const id = values.method_id;
    const saved = await mfa.changeMethod(id, (before) => build(values, id ?? records.uuid(), before));
    if ('refused' in saved) return badRequest(saved.refused);
    return id === undefined ? data({ method_id: saved.id }) : empty;
  };
  const idField = { ...fields.method_id, required: true } as const;

  return [
    path({
      pattern: 'mfa/method',
      synopsis: 'Lists all the available MFA methods by their ID.',
      fields: {},
      operations: { list: { summary: 'List the methods.', handler: list } },
    }),
    path({
      pattern: 'mfa/method/totp',
      synopsis: 'Defines or updates a TOTP MFA method.',
      fields,
      operations: {
        list: { summary: 'List the methods.', handler: list },
        update: {
          summary: 'Create a method.',
          handler: (_request, values) =>
            save(values.method_id === '' ? { ...values, method_id: undefined } : values),
        },
      },
    }),
    path({
      pattern: 'mfa/method/totp/:method_id',
      synopsis: 'Defines or updates a TOTP MFA method.',
      fields: { ...fields, method_id: idField },
      operations: {
        read: { summary: 'Read a method.', handler: (_request, { method_id: id }) => read(id) },
        update: { summary: 'Update a method.', handler: (_request, values) => save(values) },
        delete: {
          summary: 'Delete a method.',
          handler: async (_request, { method_id: id }) => {
            const refused = await mfa.deleteMethod(id);
            return refused === undefined ? empty : badRequest(refused.refused);
          },
        },
      },
    }),
    path({
      pattern: 'mfa/method/:method_id',
      synopsis: 'Read the current configuration for the given ID regardless of the MFA method type.',
      fields: { method_id: idField },
      operations: {
        read: { summary: 'Read a method.', handler: (_request, { method_id: id }) => read(id) },
      },
    }),
  ];
}

function render(method: TotpMethod): JsonObject {
  return {
    algorithm: method.algorithm,
    digits: method.digits,
    id: method.id,
    issuer: method.issuer,
    key_size: method.keySize,
    max_validation_attempts: method.maxValidationAttempts,
    name: method.name,
    namespace_id: 'root',
    namespace_path: '',
    period: method.period,
    qr_size: method.qrSize,
    skew: method.skew,
    type: 'totp',
  };
}

function build(
  values: FieldValues<typeof fields>,
  id: string,
  before: TotpMethod | undefined,
): TotpMethod | string {
  const issuer = values.issuer ?? before?.issuer ?? '';
  const period = values.period ?? before?.period ?? 30;
  const keySize = values.key_size ?? before?.keySize ?? 20;
  const algorithm = values.algorithm ?? before?.algorithm ?? 'SHA1';
  const digits = values.digits ?? before?.digits ?? 6;
  const skew = values.skew ?? before?.skew ?? 1;
  const qrSize = values.qr_size ?? before?.qrSize ?? 200;
  const attempts = values.max_validation_attempts ?? before?.maxValidationAttempts ?? 5;
  if (issuer === '') return 'issuer must be set';
  if (period <= 0) return 'period must be greater than zero';
  if (keySize <= 0 || keySize > MAX_KEY_SIZE) return 'key_size must be greater than zero';
  if (algorithm !== 'SHA1' && algorithm !== 'SHA256' && algorithm !== 'SHA512')
    return 'unrecognized algorithm';
  if (digits !== 6 && digits !== 8) return 'digits can only be 6 or 8';
  if (skew !== 0 && skew !== 1) return 'skew must be 0 or 1';
  if (qrSize < 0) return 'qr_size must be greater than zero';
  if (attempts < 0) return 'max_validation_attempts must be greater than zero';
  return {
    id,
    name: values.method_name ?? before?.name ?? '',
    issuer,
    period,
    keySize,
    algorithm,
    digits,
    skew,
    qrSize,
    maxValidationAttempts: attempts === 0 ? 5 : attempts,
  };
}
