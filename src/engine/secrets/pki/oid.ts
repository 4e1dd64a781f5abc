/** @returns whether a text is an object identifier (X.660): at least two arcs, each in its range */
export function isOid(text: string): boolean {
  return /^(?:[01]\.(?:[0-9]|[1-3][0-9])|2\.(?:0|[1-9]\d{0,8}))(?:\.(?:0|[1-9]\d{0,14}))*$/.test(text);
}
