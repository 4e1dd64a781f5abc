import { decodeToken } from '../../lib/encoded-token.ts';
import type { JsonObject } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import { badRequest, data, empty, type Response } from '../logical/response.ts';
import type { GenerateRootPort, QuorumRefusal, RootGeneration } from './quorum-port.ts';

const starting = {
  otp: { type: 'string', description: 'One-time password of the length of a token.', default: '' },
  pgp_key: {
    type: 'string',
    description: 'OpenPGP public key, base64, to which the root token is encrypted.',
    default: '',
  },
  ttl: {
    type: 'duration',
    description: 'When the root token expires by itself; never by default.',
    default: 0,
  },
} as const;

const sharing = {
  key: { type: 'string', description: 'One share, hex or base64.', default: '' },
  nonce: { type: 'string', description: 'The nonce of the attempt.', default: '' },
} as const;

/** generate-root in its old form (top-level answers) and generate-root-token, and decode-token. */
export function generateRootPaths(port: GenerateRootPort): Path[] {
  return [
    attempt(port, 'generate-root/attempt', raw),
    attempt(port, 'generate-root', raw),
    update(port, 'generate-root/update', raw, "'key' must be specified in request body as JSON"),
    attempt(port, 'generate-root-token/attempt', logical),
    update(port, 'generate-root-token/update', logical, 'key is required'),
    decodeTokenPath(),
  ];
}

/** generate-recovery-token, the only way to a token in recovery mode. */
export function recoveryTokenPaths(port: GenerateRootPort): Path[] {
  return [
    attempt(port, 'generate-recovery-token/attempt', raw),
    update(port, 'generate-recovery-token/update', raw, "'key' must be specified in request body as JSON"),
  ];
}

type Render = (status: RootGeneration, step: 'status' | 'update') => Response;

function attempt(port: GenerateRootPort, pattern: string, render: Render): Path {
  return path({
    pattern,
    synopsis: 'Reads, generates, or deletes a root token regeneration process.',
    access: render === raw ? 'generate-root' : 'token',
    fields: starting,
    operations: {
      read: {
        summary: 'Read the configuration and progress of the current root generation attempt.',
        handler: async () => render(await port.status(), 'status'),
      },
      update: {
        summary: 'Initializes a new root generation attempt.',
        handler: async (_request, values) =>
          answer(
            await port.start({ otp: values.otp, pgpKey: values.pgp_key, ttl: values.ttl }),
            render,
            'status',
          ),
      },
      delete: {
        summary: 'Cancels any in-progress root generation attempt.',
        handler: () => {
          port.cancel();
          return empty;
        },
      },
    },
  });
}

function update(port: GenerateRootPort, pattern: string, render: Render, missing: string): Path {
  return path({
    pattern,
    synopsis: 'Enter a single unseal or recovery key share to progress the root generation attempt.',
    access: render === raw ? 'generate-root' : 'token',
    fields: sharing,
    operations: {
      update: {
        summary: 'Enter a single key share to progress the root generation attempt.',
        handler: async ({ signal }, { key, nonce }) => {
          if (render === logical && nonce === '') return badRequest('nonce is required');
          if (key === '') return badRequest(missing);
          return answer(await port.update({ key, nonce, signal }), render, 'update');
        },
      },
    },
  });
}

function answer(
  outcome: RootGeneration | QuorumRefusal,
  render: Render,
  step: 'status' | 'update',
): Response {
  return 'refused' in outcome ? badRequest(outcome.refused) : render(outcome, step);
}

function raw(status: RootGeneration): Response {
  return {
    kind: 'raw',
    status: 200,
    body: {
      nonce: status.nonce,
      started: status.started,
      progress: status.progress,
      required: status.required,
      complete: status.complete,
      encoded_token: status.encodedToken,
      encoded_root_token: status.encodedToken,
      pgp_fingerprint: status.pgpFingerprint,
      otp: status.otp,
      otp_length: status.otpLength,
    },
  };
}

function logical(status: RootGeneration, step: 'status' | 'update'): Response {
  const { complete, progress, required, started } = status;
  const otp: JsonObject = step === 'status' ? { otp: status.otp, otp_length: status.otpLength } : {};
  return data({
    complete,
    progress,
    required,
    started,
    ...otp,
    ...(step === 'update' ? { encoded_token: status.encodedToken } : {}),
    ...(started ? { nonce: status.nonce, pgp_fingerprint: status.pgpFingerprint } : {}),
  });
}

function decodeTokenPath(): Path {
  return path({
    pattern: 'decode-token',
    synopsis: 'Decodes the encoded token with the otp.',
    access: 'unauthenticated',
    fields: {
      encoded_token: { type: 'string', description: 'The encoded token.', default: '' },
      otp: { type: 'string', description: 'The one-time password of the attempt.', default: '' },
    },
    operations: {
      update: {
        summary: 'Decodes the encoded token with the otp.',
        handler: (_request, { encoded_token: encoded, otp }) => {
          if (encoded === '') return badRequest('missing encoded token');
          if (otp === '') return badRequest('missing otp');
          const token = decodeToken(encoded, otp);
          return token === undefined
            ? badRequest('the encoded token and the otp do not belong together')
            : data({ token });
        },
      },
    },
  });
}
