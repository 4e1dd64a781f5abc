import { HttpFailure, jsonOf } from '../../../lib/http-call.ts';
import type { JsonObject } from '../../../lib/json.ts';
import { badRequest, data, type Response } from '../../logical/response.ts';
import { type Issuer, IssuerFailure } from './issuer.ts';
import { type ProviderTokens, tokensOf } from './oidc-flow.ts';
import type { OidcRequest, OidcRequests } from './oidc-requests.ts';
import type { JwtConfig, JwtRole } from './store.ts';

interface Begin {
  readonly config: JwtConfig;
  readonly issuer: Issuer;
  readonly role: JwtRole;
  readonly requests: OidcRequests;
}

/** Asks the provider for a code that a person enters on another device (RFC 8628 §3.1). */
export async function startDeviceFlow(
  { config, issuer, role, requests }: Begin,
  given: Pick<OidcRequest, 'roleName' | 'clientNonce' | 'requesterAddress'>,
): Promise<Response> {
  const body = await post(issuer, 'device_authorization_endpoint', {
    client_id: config.clientId,
    client_secret: config.clientSecret,
    scope: ['openid', ...(role.scopes ?? [])].join(' '),
  });
  if (body instanceof IssuerFailure) return badRequest(`error authorizing device: ${body.message}`);
  const text = (...names: string[]): string => {
    for (const name of names) {
      const value = body[name];
      if (typeof value === 'string' && value !== '') return value;
    }
    return '';
  };
  const deviceCode = text('device_code');
  if (deviceCode === '') return badRequest('error authorizing device: the provider gave no device_code');
  const { state } = requests.create({ ...given, redirectUri: '', deviceCode });
  const complete = text('verification_uri_complete', 'verification_url_complete');
  const { interval } = body;
  const seconds = role.pollInterval || (typeof interval === 'number' ? interval : 0) || 5;
  return data({
    auth_url: complete === '' ? text('verification_uri', 'verification_url') : complete,
    poll_interval: String(seconds),
    state,
    ...(complete === '' ? { user_code: text('user_code') } : {}),
  });
}

/** Asks whether the person has finished (RFC 8628 §3.4). @returns tokens, or the provider's error */
export async function pollDevice(
  config: JwtConfig,
  issuer: Issuer,
  deviceCode: string,
): Promise<ProviderTokens | IssuerFailure> {
  const body = await post(issuer, 'token_endpoint', {
    client_id: config.clientId,
    client_secret: config.clientSecret,
    device_code: deviceCode,
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
  });
  if (body instanceof IssuerFailure) return body;
  return tokensOf(body) ?? new IssuerFailure('no id_token found in response');
}

async function post(
  issuer: Issuer,
  endpoint: string,
  form: Record<string, string>,
): Promise<JsonObject | IssuerFailure> {
  const url = await issuer.endpoint(endpoint);
  if (url instanceof IssuerFailure) return url;
  const answer = await issuer.call(url, new URLSearchParams(form));
  if (answer instanceof HttpFailure) return new IssuerFailure(answer.message);
  const body = jsonOf(answer);
  const error = body?.['error'];
  if (typeof error === 'string' && error !== '') return new IssuerFailure(error);
  return answer.status === 200 && body !== undefined
    ? body
    : new IssuerFailure(`the provider answered ${answer.status}`);
}
