/** The package's version, which a test compares. */
const release = '0.1.0';

/**
 * The version that sys/health, sys/seal-status and `-version` report. Clients of Vault decide by it what they may
 * ask for, so it names the version of Vault whose API is served; the release is its build metadata (SemVer §10).
 */
export const version: string = `1.20.0+sealedvault.${release}`;
/** RFC 3339; set when a release is cut. */
export const buildDate = '2026-11-24T00:00:00Z';
