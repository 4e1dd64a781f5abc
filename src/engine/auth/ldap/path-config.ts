import { KeyedMutex } from '../../../lib/keyed-mutex.ts';
import { type Path, path } from '../../logical/logical.ts';
import { badRequest, data, empty } from '../../logical/response.ts';
import { tokenFields } from '../token-fields.ts';
import { editConfig, renderConfig, warningsOf } from './config.ts';
import type { LdapStore } from './store.ts';

const text = (description: string): { readonly type: 'string'; readonly description: string } => ({
  type: 'string',
  description,
});
const flag = (description: string): { readonly type: 'bool'; readonly description: string } => ({
  type: 'bool',
  description,
});

const fields = {
  anonymous_group_search: flag('Search for groups without being bound.'),
  binddn: text('Who searches for users and groups.'),
  bindpass: text('The password of whoever searches.'),
  case_sensitive_names: flag('Compare names of users and groups with their case.'),
  certificate: text('PEM of the authority of the server.'),
  client_tls_cert: text('PEM of the certificate that is presented to the server.'),
  client_tls_key: text('PEM of its key.'),
  connection_timeout: {
    type: 'duration',
    description: 'How long to wait for a connection before the next URL is tried.',
  },
  deny_null_bind: flag('Refuse empty passwords, with which many servers let anybody in.'),
  dereference_aliases: text('When aliases are followed: never, finding, searching or always.'),
  discoverdn: flag('Search for the user before binding as him.'),
  groupattr: text('Attribute of the found objects that names groups.'),
  groupdn: text('Where groups are searched for.'),
  groupfilter: text('Filter for the groups of a user: a template with UserDN and Username.'),
  insecure_tls: flag('Do not verify the server. Very insecure.'),
  max_page_size: { type: 'int', description: 'Fetch groups in pages of so many; 0 or less is all at once.' },
  request_timeout: { type: 'duration', description: 'How long to wait for an answer.' },
  starttls: flag('Encrypt ldap:// connections by StartTLS.'),
  tls_max_version: text('tls10, tls11, tls12 or tls13.'),
  tls_min_version: text('tls10, tls11, tls12 or tls13.'),
  upndomain: text('Log in as username@upndomain.'),
  url: text('Servers, separated by commas, tried in this order.'),
  use_pre111_group_cn_behavior: flag('Only an upper-case CN names a group.'),
  use_token_groups: flag('Use tokenGroups of Active Directory.'),
  userattr: text('Attribute that names users.'),
  userdn: text('Where users are.'),
  userfilter: text('Filter for a user: a template with UserAttr and Username.'),
  username_as_alias: flag('Name the alias after the user.'),
  ...tokenFields,
} as const;

/** config: the directory. */
export function configPaths(store: LdapStore): Path[] {
  const locks = new KeyedMutex();
  return [
    path({
      pattern: 'config',
      synopsis: 'Configure the LDAP server to connect to, along with its options.',
      fields,
      operations: {
        read: {
          summary: 'Read the configuration, without secrets.',
          handler: async () => {
            const config = await store.config();
            return data(renderConfig(config), warningsOf(config));
          },
        },
        update: {
          summary: 'Change the configuration; what is left out stays.',
          handler: (_request, values) =>
            locks.run('config', async () => {
              const config = editConfig(await store.config(), values);
              if (typeof config === 'string') return badRequest(config);
              await store.putConfig(config);
              const warnings = warningsOf(config);
              return warnings.length === 0 ? empty : data(null, warnings);
            }),
        },
      },
    }),
  ];
}
