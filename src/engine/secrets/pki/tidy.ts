import { parseDuration } from '../../../lib/duration.ts';
import type { JsonObject } from '../../../lib/json.ts';
import type { Response } from '../../logical/response.ts';
import { rebuildChains } from './chain.ts';
import { getIssuersConfig } from './config.ts';
import type { Pki } from './context.ts';
import { buildCrls } from './crl-build.ts';
import { allIssuers, certificateOf, deleteIssuer } from './issuers.ts';
import { listRevoked } from './revoked-list.ts';
import { deleteRevoked, getRevoked, putRevoked, revokedCertificate } from './revoked.ts';
import { serialOfKey } from './serial.ts';
import { getTidyConfig, isAnyTidied, type TidyConfig, tidyOperationNames } from './tidy-config.ts';
import { Certificate } from './x509/certificate.ts';

/** Starts tidying; what it does is told by tidy-status. */
export function startTidy(pki: Pki, config: TidyConfig): Response {
  if (pki.tidy.isRunning)
    return { kind: 'data', data: null, warnings: ['Tidy operation already in progress.'] };
  // It goes on after the answer, and keeps what goes wrong as its status.
  void run(pki, config);
  return {
    kind: 'data',
    data: null,
    status: 202,
    warnings: [
      isAnyTidied(config)
        ? "Tidy operation successfully started. Any information from the operation will be printed to OpenBao's server logs."
        : `Manual tidy requested but no tidy operations were set. Enable at least one tidy operation to be run (${tidyOperationNames}).`,
    ],
  };
}

/** Tidies when it is set to do so by itself and is due. Called with requests that add to what is kept. */
export async function tidyWhenDue(pki: Pki): Promise<void> {
  const config = await getTidyConfig(pki.storage);
  const now = pki.clock.now();
  // What there was before a start is not known: the interval begins with it.
  pki.tidy.lastRun ??= now;
  if (!config.enabled || pki.tidy.isRunning) return;
  if (now < pki.tidy.lastRun + config.interval_duration * 1000) return;
  startTidy(pki, config);
}

class Cancelled extends Error {}

async function run(pki: Pki, config: TidyConfig): Promise<void> {
  pki.tidy.start(config, pki.clock.now());
  try {
    let rebuild = false;
    if (config.tidy_cert_store || config.tidy_invalid_certs) rebuild = await tidyCertificates(pki, config);
    if (config.tidy_revoked_certs || config.tidy_revoked_cert_issuer_associations)
      rebuild = (await tidyRevoked(pki, config)) || rebuild;
    if (config.tidy_expired_issuers) rebuild = (await tidyIssuers(pki, config)) || rebuild;
    if (rebuild)
      await pki.change(async (batch) => {
        await buildCrls(pki, batch, false);
        return true;
      });
    pki.tidy.stop(pki.clock.now());
  } catch (error) {
    // The storage's messages are constant sentences.
    const message = error instanceof Cancelled ? 'tidy operation cancelled' : 'error running tidy';
    pki.tidy.stop(pki.clock.now(), message);
  }
}

async function pause(pki: Pki, config: TidyConfig): Promise<void> {
  if (pki.tidy.phase === 'Cancelling') throw new Cancelled();
  const seconds = parseDuration(config.pause_duration) ?? 0;
  if (seconds > 0) await pki.clock.sleep(seconds * 1000);
}

/** @returns whether something was revoked that is gone now */
async function tidyCertificates(pki: Pki, config: TidyConfig): Promise<boolean> {
  const names = await pki.storage.list('certs/');
  let changed = false;
  for (const [index, name] of names.entries()) {
    pki.tidy.message = `Tidying certificate store: checking entry ${index} of ${names.length}`;
    await pause(pki, config);
    const der = await pki.storage.get(`certs/${name}`);
    const certificate = der === undefined ? undefined : Certificate.read(der);
    const serial = serialOfKey(name);
    if (certificate === undefined) {
      if (!config.tidy_invalid_certs) continue;
      await pki.storage.delete(`certs/${name}`);
      pki.tidy.certificates += 1;
      continue;
    }
    if (!config.tidy_cert_store) continue;
    const isRevoked = (await getRevoked(pki.storage, serial)) !== undefined;
    const buffer = isRevoked ? revokedBuffer(config) : config.safety_buffer;
    if (pki.clock.now() - certificate.notAfter <= buffer * 1000) continue;
    await pki.change(async (batch) => {
      await batch.delete(`certs/${name}`);
      if (isRevoked && config.tidy_revoked_certs) await deleteRevoked(batch, serial);
      return true;
    });
    pki.tidy.certificates += 1;
    if (isRevoked && config.tidy_revoked_certs) {
      pki.tidy.revoked += 1;
      changed = true;
    }
  }
  return changed;
}

async function tidyRevoked(pki: Pki, config: TidyConfig): Promise<boolean> {
  const names = await listRevoked(pki.storage);
  let changed = false;
  for (const [index, name] of names.entries()) {
    pki.tidy.message = `Tidying revoked certificates: checking certificate ${index} of ${names.length}`;
    await pause(pki, config);
    const serial = serialOfKey(name);
    const done = await pki.change(async (batch) => {
      const record = await getRevoked(batch, serial);
      const certificate = record === undefined ? undefined : revokedCertificate(record);
      if (record === undefined || certificate === undefined) return '';
      if (
        config.tidy_revoked_certs &&
        pki.clock.now() - certificate.notAfter > revokedBuffer(config) * 1000
      ) {
        await deleteRevoked(batch, serial);
        await batch.delete(`certs/${name}`);
        return 'deleted';
      }
      if (!config.tidy_revoked_cert_issuer_associations) return '';
      const issuers = await allIssuers(batch);
      if (issuers.some(({ id }) => id === record.issuerId)) return '';
      const issuer = issuers.find((one) => certificate.isSignedBy(certificateOf(one)));
      await putRevoked(batch, serial, { ...record, issuerId: issuer?.id ?? '' });
      return 'linked';
    });
    if (done === 'deleted') pki.tidy.revoked += 1;
    if (done === 'linked') pki.tidy.missingIssuer += 1;
    changed ||= done === 'deleted' || done === 'linked';
  }
  return changed;
}

/** Removes issuers that ended long ago; the default issuer and all keys stay. */
async function tidyIssuers(pki: Pki, config: TidyConfig): Promise<boolean> {
  const done = await pki.change(async (batch) => {
    const { default: defaultId } = await getIssuersConfig(batch);
    const limit = pki.clock.now() - config.issuer_safety_buffer * 1000;
    const ended = (await allIssuers(batch)).filter(
      (entry) => entry.id !== defaultId && certificateOf(entry).notAfter < limit,
    );
    for (const { id } of ended) await deleteIssuer(batch, id);
    if (ended.length > 0) await rebuildChains(batch);
    return ended.length;
  });
  return typeof done === 'number' && done > 0;
}

const revokedBuffer = (config: TidyConfig): number => config.revoked_safety_buffer ?? config.safety_buffer;

/** How tidying goes, or went. */
export async function showTidy(pki: Pki): Promise<JsonObject> {
  const { tidy } = pki;
  const { config } = tidy;
  const auto = await getTidyConfig(pki.storage);
  const counts = auto.maintain_stored_certificate_counts
    ? {
        current_cert_store_count: (await pki.storage.list('certs/')).length,
        current_revoked_cert_count: (await listRevoked(pki.storage)).length,
      }
    : { current_cert_store_count: null, current_revoked_cert_count: null };
  const ran = config !== undefined;
  return {
    acme_account_deleted_count: ran ? 0 : null,
    acme_account_revoked_count: ran ? 0 : null,
    acme_account_safety_buffer: config?.acme_account_safety_buffer ?? null,
    acme_orders_deleted_count: ran ? 0 : null,
    cert_store_deleted_count: ran ? tidy.certificates : null,
    ...counts,
    error: tidy.phase === 'Error' ? (tidy.error ?? null) : null,
    internal_backend_uuid: tidy.backendUuid,
    issuer_safety_buffer: config?.issuer_safety_buffer ?? null,
    ...(ran ? { last_auto_tidy_finished: tidy.lastAutoTidy ?? tidy.started ?? null } : {}),
    message: tidy.message ?? null,
    missing_issuer_cert_count: ran ? tidy.missingIssuer : null,
    page_size: config?.page_size ?? null,
    pause_duration: config?.pause_duration ?? null,
    revoked_cert_deleted_count: ran ? tidy.revoked : null,
    revoked_safety_buffer: config === undefined ? null : revokedBuffer(config),
    safety_buffer: config?.safety_buffer ?? null,
    state: tidy.phase,
    tidy_acme: config?.tidy_acme ?? null,
    tidy_cert_store: config?.tidy_cert_store ?? null,
    tidy_expired_issuers: config?.tidy_expired_issuers ?? null,
    tidy_invalid_certs: config?.tidy_invalid_certs ?? null,
    tidy_move_legacy_ca_bundle: config?.tidy_move_legacy_ca_bundle ?? null,
    tidy_revoked_cert_issuer_associations: config?.tidy_revoked_cert_issuer_associations ?? null,
    tidy_revoked_certs: config?.tidy_revoked_certs ?? null,
    time_finished: tidy.finished ?? null,
    time_started: tidy.started ?? null,
    total_acme_account_count: ran ? 0 : null,
  };
}
