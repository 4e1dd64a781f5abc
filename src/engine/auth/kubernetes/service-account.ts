import { isJsonObject, type JsonObject, member } from '../../../lib/json.ts';

/** Who a service account token names. */
export interface ServiceAccount {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  /** Of tokens that lie in a Secret; empty for bound ones. */
  readonly secretName: string;
}

/** Reads the claims of a bound token (`kubernetes.io`) or of an older one that lies in a Secret. */
export function serviceAccountOf(claims: JsonObject): ServiceAccount {
  const older = (name: string): string => textOf(claims, `kubernetes.io/serviceaccount/${name}`);
  const bound = member(claims, 'kubernetes.io');
  const account = isJsonObject(bound) ? member(bound, 'serviceaccount') : undefined;
  return {
    name: isJsonObject(account) ? textOf(account, 'name') : older('service-account.name'),
    namespace: isJsonObject(bound) ? textOf(bound, 'namespace') : older('namespace'),
    uid: isJsonObject(account) ? textOf(account, 'uid') : older('service-account.uid'),
    secretName: older('secret.name'),
  };
}

function textOf(source: JsonObject, name: string): string {
  const value = member(source, name);
  return typeof value === 'string' ? value : '';
}
