/** What vendor libraries, p11-kit and the dynamic linker read. */
const LIBRARY_ENV =
  /^(PATH|HOME|TMPDIR|TZ|LANG|LC_\w+|LD_LIBRARY_PATH|OPENSSL_CONF|(SOFTHSM2|P11_KIT|P11|PKCS11|KRYOPTIC|CKNFAST|NFAST|LUNA|YUBIHSM|P11NETHSM|NETHSM|TPM2|TSS2|PRIMUS|SECUROSYS|CLOUDHSM|CS)_\w+|P11NETHSM\w*|Chrystoki\w*)$/;

/** What of an environment a PKCS#11 process gets; `more` are further names, with commas. */
export function libraryEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  more: string | undefined,
): Record<string, string> {
  const extra = (more ?? '').split(',').map((name) => name.trim());
  const chosen: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    // Node's own flags are never for a library: among them is a debugger.
    const wanted = name !== 'NODE_OPTIONS' && (LIBRARY_ENV.test(name) || extra.includes(name));
    if (value !== undefined && wanted) chosen[name] = value;
  }
  return chosen;
}
