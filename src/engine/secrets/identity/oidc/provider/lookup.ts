import type { JsonObject } from '../../../../../lib/json.ts';
import type { TemplateSubject } from '../../../../policy/template.ts';
import type { Oidc } from '../context.ts';
import { addClaims, renderClaims } from '../template.ts';
import { ALLOW_ALL, type Assignment, type Client, DEFAULT_PROVIDER, OPENID, type Provider } from './model.ts';

/** A provider by its name; the default one is always there. */
export async function findProvider(oidc: Oidc, name: string): Promise<Provider | undefined> {
  const stored = await oidc.providers.get(name);
  if (stored !== undefined || name !== DEFAULT_PROVIDER) return stored;
  return { issuer: '', allowedClientIds: ['*'], scopesSupported: [] };
}

/** An assignment by its name; the one for everybody is always there. */
export async function findAssignment(oidc: Oidc, name: string): Promise<Assignment | undefined> {
  return name === ALLOW_ALL ? { entityIds: ['*'], groupIds: ['*'] } : oidc.assignments.get(name);
}

export async function findClient(oidc: Oidc, clientId: string): Promise<Client | undefined> {
  return (await oidc.clients.entries()).find(([, client]) => client.clientId === clientId)?.[1];
}

export function providerIssuer({ apiAddress }: Oidc, name: string, { issuer }: Provider): string {
  return `${issuer || apiAddress}/v1/identity/oidc/provider/${name}`;
}

export function allows({ allowedClientIds }: Pick<Provider, 'allowedClientIds'>, clientId: string): boolean {
  return allowedClientIds.includes('*') || allowedClientIds.includes(clientId);
}

/** Whether somebody may sign in at a client. */
export async function isAssigned(
  oidc: Oidc,
  entityId: string,
  client: Client,
): Promise<TemplateSubject | undefined> {
  const { disabled } = await oidc.identity.policiesOf(entityId);
  const subject = disabled ? undefined : await oidc.identity.templateValues(entityId);
  if (subject === undefined) return undefined;
  for (const name of client.assignments) {
    if (name === ALLOW_ALL) return subject;
    const assignment = await oidc.assignments.get(name);
    if (assignment?.entityIds.includes(subject.entity.id) === true) return subject;
    if (subject.groups.some(({ id }) => assignment?.groupIds.includes(id) === true)) return subject;
  }
  return undefined;
}

/** The scopes asked for that a provider knows; undefined when `openid` is not among them. */
export function scopesOf(asked: string, { scopesSupported }: Provider): string[] | undefined {
  const names = asked.split(' ').filter((name) => name !== '');
  if (!names.includes(OPENID)) return undefined;
  return [...new Set(names)].filter((name) => name !== OPENID && scopesSupported.includes(name));
}

/** Adds the claims of scopes. @returns a text when two of them claim the same */
export async function addScopes(
  oidc: Oidc,
  claims: JsonObject,
  scopes: readonly string[],
  subject: TemplateSubject,
): Promise<JsonObject | string> {
  const owners = new Map<string, string>();
  const templates: string[] = [];
  const now = oidc.keys.now();
  for (const name of scopes) {
    const template = (await oidc.scopes.get(name))?.template ?? '';
    if (template === '') continue;
    for (const claim of Object.keys(renderClaims(template, subject, now) ?? {})) {
      const owner = owners.get(claim);
      if (owner !== undefined) {
        return `found scopes with conflicting top-level claim: claim ${JSON.stringify(claim)} in scopes ${JSON.stringify(name)}, ${JSON.stringify(owner)}`;
      }
      owners.set(claim, name);
    }
    templates.push(template);
  }
  return addClaims(claims, templates, subject, now);
}
