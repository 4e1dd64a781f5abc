/** Somebody or something that logs in, by whatever methods: one alias for each of them. */
export interface Entity {
  readonly id: string;
  readonly name: string;
  readonly disabled: boolean;
  readonly policies: readonly string[];
  readonly metadata: Metadata | null;
  readonly aliases: readonly Alias[];
  /** Ids of entities that were merged into this one: tokens may still carry them. */
  readonly mergedEntityIds: readonly string[];
  /** RFC 3339. */
  readonly creationTime: string;
  readonly lastUpdateTime: string;
}

/** The name by which an auth mount knows an entity. */
export interface Alias {
  readonly id: string;
  /** The entity. */
  readonly canonicalId: string;
  readonly mountAccessor: string;
  readonly name: string;
  /** Set by the auth method at login. */
  readonly metadata: Metadata | null;
  /** Set by operators. */
  readonly customMetadata: Metadata | null;
  readonly mergedFromCanonicalIds: readonly string[];
  readonly local: boolean;
  readonly creationTime: string;
  readonly lastUpdateTime: string;
}

export type Metadata = Readonly<Record<string, string>>;

/** A set of entities and groups that share policies; who belongs to it is in indexes of its own. */
export interface Group {
  readonly id: string;
  readonly name: string;
  /** An external group's entities are set by logins, through its alias. */
  readonly type: 'internal' | 'external';
  readonly policies: readonly string[];
  readonly metadata: Metadata | null;
  readonly alias: GroupAlias | null;
  readonly modifyIndex: number;
  readonly creationTime: string;
  readonly lastUpdateTime: string;
}

/** The name by which an auth mount knows a group. */
export interface GroupAlias {
  readonly id: string;
  /** The group. */
  readonly canonicalId: string;
  readonly mountAccessor: string;
  readonly name: string;
  readonly creationTime: string;
  readonly lastUpdateTime: string;
}

/** Why the store did not do what was asked: a client's mistake. */
export interface Refusal {
  readonly refused: string;
}

/** @returns whether an outcome is a refusal. */
export function isRefusal(outcome: object | undefined): outcome is Refusal {
  return outcome !== undefined && 'refused' in outcome;
}
