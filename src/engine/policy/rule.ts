import type { Json } from '../../lib/json.ts';
import type { TemplateLimits } from './template.ts';

export const CAPABILITIES: readonly [
  'create',
  'read',
  'update',
  'patch',
  'delete',
  'list',
  'sudo',
  'deny',
  'subscribe',
  'recover',
] = ['create', 'read', 'update', 'patch', 'delete', 'list', 'sudo', 'deny', 'subscribe', 'recover'];

export type Capability = (typeof CAPABILITIES)[number];

/** Parameter names in lower case; an empty list stands for every value. */
export type Parameters = ReadonlyMap<string, readonly Json[]>;

/** One `path` stanza. */
export interface PathRule {
  /** Without a leading slash; a `*` at the end and `+` segments as they were written. */
  readonly path: string;
  /** `deny` stands alone. */
  readonly capabilities: ReadonlySet<Capability>;
  readonly allowedParameters: Parameters;
  readonly deniedParameters: Parameters;
  readonly requiredParameters: readonly string[];
  /** Seconds; 0 is none. */
  readonly minWrappingTtl: number;
  readonly maxWrappingTtl: number;
}

export interface Policy {
  readonly name: string;
  readonly rules: readonly PathRule[];
  /** What values in templates of its paths may hold; nothing special unless said. */
  readonly templates?: TemplateLimits;
}
