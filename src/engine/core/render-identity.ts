import type { IdentityStore } from '../identity/store.ts';
import { lookUp, renderTemplate } from '../policy/template.ts';

/** Fills `{{identity.…}}` of a text in for an entity. @returns undefined when a value is missing */
export async function renderIdentity(
  identity: IdentityStore,
  text: string,
  entityId: string,
): Promise<string | undefined> {
  const subject = entityId === '' ? undefined : await identity.templateValues(entityId);
  if (subject === undefined) return undefined;
  return renderTemplate(text, (directive) => {
    const value = lookUp(directive, subject);
    return typeof value === 'string' && value !== '' ? value : undefined;
  });
}
