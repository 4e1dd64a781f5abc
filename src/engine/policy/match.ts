/** How a rule's path is matched, and which of several matching rules decides. */
export interface Pattern {
  readonly kind: 'exact' | 'prefix' | 'segments';
  /** Without the `*` at its end. */
  readonly stem: string;
  readonly segments: readonly string[];
  /** Ends in `*`. */
  readonly open: boolean;
  /** Where the first `+` or `*` stands. */
  readonly firstWildcard: number;
  /** How many `+` there are. */
  readonly wildcards: number;
}

export function compilePattern(path: string): Pattern {
  const open = path.endsWith('*');
  const stem = open ? path.slice(0, -1) : path;
  const segments = stem.split('/');
  const wildcards = segments.filter((segment) => segment === '+').length;
  const kind = hasPlus(path) ? 'segments' : open ? 'prefix' : 'exact';
  return {
    kind,
    stem,
    segments,
    open,
    firstWildcard: kind === 'segments' ? path.indexOf('+') : stem.length,
    wildcards,
  };
}

// Vault takes any segment that begins with a plus as a sign of wildcards, though only a lone plus is one.
function hasPlus(path: string): boolean {
  return path === '+' || path.includes('/+') || path.startsWith('+/');
}

/** @param segments the request's path, cut at its slashes */
export function matches(pattern: Pattern, segments: readonly string[]): boolean {
  const { segments: wanted, open } = pattern;
  if (segments.length < wanted.length || (!open && segments.length !== wanted.length)) return false;
  return wanted.every((part, i) => segmentMatches(pattern, part, i, segments[i] ?? ''));
}

/** Whether some path below the prefix may match: the prefix is a mount's path and ends in a slash. */
export function mayMatchBelow(pattern: Pattern, prefix: readonly string[]): boolean {
  const { segments: wanted, open } = pattern;
  const mount = prefix.slice(0, -1);
  if (wanted.length < mount.length && !open) return false;
  return wanted.slice(0, mount.length).every((part, i) => segmentMatches(pattern, part, i, mount[i] ?? ''));
}

function segmentMatches(pattern: Pattern, part: string, index: number, actual: string): boolean {
  if (part === '+' || part === actual) return true;
  return pattern.open && index === pattern.segments.length - 1 && actual.startsWith(part);
}

/**
 * The published order of glob and `+` rules ("Policies", priority matching): negative when a is less specific than b.
 * A rule is less specific when its first wildcard comes earlier; else when it ends in `*`; else when it has
 * more `+`; else when it is shorter; else when it sorts first.
 */
export function compareSpecificity(a: Pattern, b: Pattern): number {
  if (a.firstWildcard !== b.firstWildcard) return a.firstWildcard - b.firstWildcard;
  if (a.open !== b.open) return a.open ? -1 : 1;
  if (a.wildcards !== b.wildcards) return b.wildcards - a.wildcards;
  if (a.stem.length !== b.stem.length) return a.stem.length - b.stem.length;
  return a.stem < b.stem ? -1 : a.stem > b.stem ? 1 : 0;
}
