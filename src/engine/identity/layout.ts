import { createHash } from 'node:crypto';
import { text, utf8 } from '../../lib/bytes.ts';

// Names are found without regard to case, and may hold anything: percent-encoded, or hashed when that is too long.
const LONGEST = 600;

function encoded(name: string): string {
  // By way of bytes, which replaces halves of surrogate pairs.
  const safe = encodeURIComponent(text(utf8(name.toLowerCase())));
  return safe.length <= LONGEST ? safe : `+${createHash('sha256').update(safe).digest('hex')}`;
}

/** Where what lies in the identity store's storage. Every index entry changes in one write with what it points to. */
export const layout = {
  entity: (id: string): string => `entity/${id}`,
  /** → { id, name } */
  entityName: (name: string): string => `entity-name/${encoded(name)}`,
  /** → { id } of the entity that the merged one lives on in */
  merged: (id: string): string => `merged/${id}`,
  /** → { id } of the entity */
  alias: (id: string): string => `alias/${id}`,
  /** → { id } of the entity, by the mount and the name there */
  factors: (accessor: string, name: string): string => `factors/${accessor}/${encoded(name)}`,
  group: (id: string): string => `group/${id}`,
  /** → { id, name } */
  groupName: (name: string): string => `group-name/${encoded(name)}`,
  /** → { id } of the group */
  groupAlias: (id: string): string => `group-alias/${id}`,
  /** → { id } of the group */
  groupFactors: (accessor: string, name: string): string => `group-factors/${accessor}/${encoded(name)}`,
  /** Entities of a group, and the groups of an entity. */
  member: (group: string, entity: string): string => `member/${group}/${entity}`,
  memberOf: (entity: string, group: string): string => `member-of/${entity}/${group}`,
  /** Groups in a group, and the groups that a group is in. */
  child: (group: string, child: string): string => `child/${group}/${child}`,
  childOf: (child: string, group: string): string => `child-of/${child}/${group}`,
  mfaMethod: (id: string): string => `mfa-method/${id}`,
  mfaEnforcement: (name: string): string => `mfa-enforcement/${name}`,
  /** What an entity proves itself with by a method. */
  mfaSecret: (entity: string, method: string): string => `mfa-secret/${entity}/${method}`,
} as const;
