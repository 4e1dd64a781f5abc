/**
 * ACL policies as Vault documents them.
 *
 *     text ── parse.ts ──► Policy ── acl.ts ──► Acl: may this token do that here?
 *
 * I1  What no rule grants is denied; `deny` beats everything else on its path.
 * I2  The most specific rule decides alone: an exact path, else the glob or `+` rule that comes first in the
 *     published order (match.ts). Rules of one path, from whatever policies, add up.
 * I3  A LIST of `a/b/` is also answered by rules for `a/b`; a more specific `deny` for either form wins.
 * I4  Parsing errors are worded as Vault's, so that people find them; they name keys and capabilities only.
 * I5  A rule whose path has a template grants nothing unless the template is resolved (template.ts), by default to
 *     values that can neither match several names nor reach below another folder.
 */
export { type Acl, type AclRequest, compileAcl, hasTemplates } from './acl.ts';
export { parsePolicy, PolicySyntaxError } from './parse.ts';
export type { Policy } from './rule.ts';
export type { TemplateSubject } from './template.ts';
