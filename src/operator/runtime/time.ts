/**
 * `metav1.MicroTime`: the API server refuses any other number of fractional digits than six.
 * @param ms Milliseconds since the epoch
 */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.(\d{3})Z$/, '.$1000Z');
}

/**
 * `metav1.Time`, in whole seconds.
 * @param ms Milliseconds since the epoch
 */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
