import { parse } from 'yaml';

/** A label selector of Kubernetes (meta/v1 LabelSelector). */
export interface LabelSelector {
  readonly matchLabels: Readonly<Record<string, string>>;
  readonly matchExpressions: readonly Expression[];
}

interface Expression {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

/** @param text JSON or YAML @returns undefined for what is no selector */
export function parseSelector(text: string): LabelSelector | undefined {
  let value: unknown;
  try {
    // Aliases can make a short text a huge value.
    value = parse(text, { maxAliasCount: 0 });
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const labels = value['matchLabels'] ?? {};
  const expressions = value['matchExpressions'] ?? [];
  if (!isRecord(labels) || !Object.values(labels).every((each) => typeof each === 'string')) return undefined;
  if (!Array.isArray(expressions)) return undefined;
  const matchExpressions: Expression[] = [];
  for (const each of expressions as unknown[]) {
    const expression = isRecord(each) ? readExpression(each) : undefined;
    if (expression === undefined) return undefined;
    matchExpressions.push(expression);
  }
  return { matchLabels: labels as Record<string, string>, matchExpressions };
}

/** @returns whether labels fit; a selector without requirements fits all */
export function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const at = (key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  return (
    Object.entries(selector.matchLabels).every(([key, value]) => at(key) === value) &&
    selector.matchExpressions.every(({ key, operator, values }) => {
      const label = at(key);
      switch (operator) {
        case 'In':
          return label !== undefined && values.includes(label);
        case 'NotIn':
          return label === undefined || !values.includes(label);
        case 'Exists':
          return label !== undefined;
        default:
          return label === undefined;
      }
    })
  );
}

function readExpression(value: Readonly<Record<string, unknown>>): Expression | undefined {
  const { key, operator, values = [] } = value;
  if (typeof key !== 'string' || typeof operator !== 'string' || !Array.isArray(values)) return undefined;
  if (!values.every((each) => typeof each === 'string')) return undefined;
  const takesValues = operator === 'In' || operator === 'NotIn';
  if (!takesValues && operator !== 'Exists' && operator !== 'DoesNotExist') return undefined;
  return takesValues === values.length > 0 ? { key, operator, values: values as string[] } : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
