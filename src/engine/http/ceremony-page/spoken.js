/**
 * A digest or nonce in groups of four, for comparing by voice.
 * @param {string} value
 * @returns {string[]}
 */
export function spokenGroups(value) {
  return (
    value
      .replace(/^sha256:/, '')
      .replaceAll('-', '')
      .match(/.{1,4}/g) ?? []
  );
}
