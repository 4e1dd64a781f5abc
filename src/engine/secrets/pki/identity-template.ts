import { lookUp, renderTemplate, type TemplateSubject } from '../../policy/template.ts';
import type { Role } from './role.ts';

/** A role with the identity templates of its domains and URIs filled in for a caller; what cannot be is left out. */
export async function fillTemplates(
  role: Role,
  entityId: string,
  templateValues: (entityId: string) => Promise<TemplateSubject | undefined>,
): Promise<Role> {
  if (!role.allowed_domains_template && !role.allowed_uri_sans_template) return role;
  const subject = entityId === '' ? undefined : await templateValues(entityId);
  const fill = (texts: readonly string[]): string[] =>
    texts.flatMap((text) => {
      const filled = text.includes('{{') ? render(text, subject, role) : text;
      return filled === undefined ? [] : [filled];
    });
  return {
    ...role,
    ...(role.allowed_domains_template ? { allowed_domains: fill(role.allowed_domains) } : {}),
    ...(role.allowed_uri_sans_template ? { allowed_uri_sans: fill(role.allowed_uri_sans) } : {}),
  };
}

// A value with a glob in it could allow more than was meant.
function render(
  template: string,
  subject: TemplateSubject | undefined,
  { allow_globs_in_identity_templates: globs }: Role,
): string | undefined {
  if (subject === undefined) return undefined;
  return renderTemplate(template, (directive) => {
    const value = lookUp(directive, subject);
    if (typeof value !== 'string' || value === '') return undefined;
    return value.includes('*') && !globs ? undefined : value;
  });
}
