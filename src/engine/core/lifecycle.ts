/**
 * The states of an engine and the only ways between them. Pure.
 *
 * uninitialized → sealed → unsealing → active → sealed; unsealing counts its attempts.
 */
export type Lifecycle =
  | { readonly state: 'uninitialized' }
  | { readonly state: 'sealed' }
  | { readonly state: 'unsealing'; readonly attempt: number }
  | { readonly state: 'active'; readonly since: number }
  | { readonly state: 'stopped' };

export type LifecycleEvent =
  | { readonly type: 'initialized' }
  | { readonly type: 'unseal-started' }
  | { readonly type: 'unseal-failed' }
  | { readonly type: 'unsealed'; readonly at: number }
  | { readonly type: 'sealed' }
  | { readonly type: 'stopped' };

/** @returns the next state; the same one when the event means nothing in it. */
export function transition(current: Lifecycle, event: LifecycleEvent): Lifecycle {
  if (event.type === 'stopped') return { state: 'stopped' };
  switch (current.state) {
    case 'uninitialized':
      return event.type === 'initialized' ? { state: 'sealed' } : current;
    case 'sealed':
      return event.type === 'unseal-started' ? { state: 'unsealing', attempt: 1 } : current;
    case 'unsealing':
      if (event.type === 'unsealed') return { state: 'active', since: event.at };
      if (event.type === 'sealed') return { state: 'sealed' };
      if (event.type === 'unseal-failed') return { state: 'unsealing', attempt: current.attempt + 1 };
      return current;
    case 'active':
      return event.type === 'sealed' ? { state: 'sealed' } : current;
    case 'stopped':
      return current;
  }
}

/** Whether requests that need the barrier are served. */
export function isSealed(lifecycle: Lifecycle): boolean {
  return lifecycle.state !== 'active';
}
