import { timestamp } from './time.ts';

/** A condition of a status, `metav1.Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

/** A condition as it was decided; its time is that of its last change. */
export type ConditionDraft<Type extends string = string, Reason extends string = string> = Pick<
  Condition,
  'status' | 'message'
> & {
  readonly type: Type;
  readonly reason: Reason;
};

/**
 * Puts one condition into a list in place of the one of its type; the order is kept, a new one comes last.
 * @param now Milliseconds since the epoch; becomes lastTransitionTime only when the status changes
 */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  draft: ConditionDraft,
  generation: number,
  now: number,
): readonly Condition[] {
  const list = conditions ?? [];
  const after = settle(draft, findCondition(list, draft.type), generation, now);
  if (!list.some((condition) => condition.type === draft.type)) return [...list, after];
  return list.map((condition) => (condition.type === draft.type ? after : condition));
}

/**
 * Turns all that was decided into conditions, in the order of the decisions.
 * @param before the conditions as they stand, for the time of the last change of each
 */
export function settleConditions(
  drafts: readonly ConditionDraft[],
  before: readonly Condition[] | undefined,
  generation: number,
  now: number,
): Condition[] {
  return drafts.map((draft) => settle(draft, findCondition(before, draft.type), generation, now));
}

/** Conditions whose status or reason differs from before, in order: what is worth an event. */
export function transitions(
  after: readonly Condition[],
  before: readonly Condition[] | undefined,
): Condition[] {
  return after.filter((condition) => {
    const old = findCondition(before, condition.type);
    return old?.status !== condition.status || old.reason !== condition.reason;
  });
}

/** @returns the condition of a type. */
export function findCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

/** @returns whether the condition of a type is True. */
export function isTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True';
}

function settle(
  { type, status, reason, message }: ConditionDraft,
  old: Condition | undefined,
  generation: number,
  now: number,
): Condition {
  const lastTransitionTime = old?.status === status ? old.lastTransitionTime : timestamp(now);
  return { type, status, reason, message, observedGeneration: generation, lastTransitionTime };
}
