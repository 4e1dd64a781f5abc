/** The version that sys/seal-status and `-version` report; the package's version, which a test compares. */
export const version = '0.1.0';
/** RFC 3339; set when a release is cut. */
export const buildDate = '2026-11-24T00:00:00Z';
