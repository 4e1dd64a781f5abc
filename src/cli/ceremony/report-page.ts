import type { Finding } from './finding.ts';
import type { Evidence } from './evidence-file.ts';
import { type Manifest, peopleOf } from './manifest.ts';
import { hsmWords } from './words.ts';
import { REPORT_STYLE } from './report-style.ts';
import { partsOf } from './responsibilities.ts';
import { readStatement } from './said.ts';
import { spokenLines } from './spoken.ts';

/**
 * The evidence of a ceremony as one page that needs nothing else: to be read, printed, signed by hand and filed. Its parts are
 * those that ETSI EN 319 411-1 §6.5.1 asks of the report of a key ceremony, and the acknowledgements of custodians that
 * PCI DSS 4.0.1 §3.7.8 asks for.
 */
export function renderReport(evidence: Evidence, findings: readonly Finding[], now: Date): string {
  const { manifest } = evidence.plan;
  const { ceremony } = manifest;
  const title = `Report of the ceremony ${ceremony.namespace}/${ceremony.name}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
${verdict(findings)}
${section('1. Purpose and date', facts(purpose(evidence, now)))}
${section('2. Roles, functions and responsibilities', roles(manifest))}
${section('3. Inventory of keys', inventory(evidence))}
${section('4. Device', facts(device(manifest)))}
${section('5. Acknowledgements of custodians', acknowledgements(evidence))}
${section('6. Evidence: what happened', log(evidence))}
${section('7. Witnesses and deviations', witnesses(evidence))}
${section('8. What was checked', checks(findings))}
${section('9. Acknowledgement by hand', signatures(manifest))}
</main>
</body>
</html>
`;
}

function verdict(findings: readonly Finding[]): string {
  const wrongs = findings.filter(({ level }) => level === 'wrong').length;
  return wrongs === 0
    ? '<p class="verdict">Nothing within this report is wrong, as far as the keys in section 3 are those of these people.</p>'
    : `<p class="verdict bad">Do not rely on this report: ${wrongs} of its parts are wrong. Section 8 names them.</p>`;
}

function purpose({ plan, entries }: Evidence, now: Date): [string, string][] {
  const { manifest, digest } = plan;
  return [
    ['Type', manifest.type],
    ['Vault', `${manifest.vault.name}, uid ${manifest.vault.uid}`],
    ['Ceremony', `${manifest.ceremony.namespace}/${manifest.ceremony.name}, uid ${manifest.ceremony.uid}`],
    ['Began', entries[0]?.time ?? 'not yet'],
    ['Last entry', entries.at(-1)?.time ?? 'none'],
    [
      'Shares',
      manifest.threshold === undefined
        ? 'unchanged'
        : `${manifest.custodians.length}, any ${manifest.threshold} together`,
    ],
    ['Requester', manifest.requester ?? 'none'],
    ['Time of the root token', manifest.ttl === undefined ? 'none was made' : String(manifest.ttl)],
    ['Digest of the plan', spokenLines(digest).join(' ')],
    ['This page was made', now.toISOString()],
  ];
}

function roles(manifest: Manifest): string {
  const rows = peopleOf(manifest).flatMap((person) =>
    partsOf(manifest, person.name).map(({ role, during, after }) => [person.name, role, during, after]),
  );
  return table(
    ['Person', 'Role', 'Function and responsibility during the ceremony', 'Responsibility after it'],
    rows,
  );
}

function inventory({ plan, proofs, attestation }: Evidence): string {
  const { manifest } = plan;
  const people = peopleOf(manifest).map(({ name, fingerprint, encryptionKey }) => [
    `OpenPGP key of ${name}`,
    spokenLines(fingerprint).join(' '),
    encryptionKey === undefined || encryptionKey === ''
      ? 'signs'
      : `receives by ${spokenLines(encryptionKey).join(' ')}`,
  ]);
  const shares = proofs.map(({ custodian, proofKey }) => [
    `Recovery share of ${custodian}`,
    proofKey,
    'public key of its proofs',
  ]);
  const engine =
    attestation === undefined ? [] : [['Evidence key of the vault', attestation.publicKey, 'Ed25519']];
  return table(['Key', 'Identified by', 'Use'], [...people, ...shares, ...engine]);
}

function device({ seal, sealMigration: move, clusterId, engineVersion }: Manifest): [string, string][] {
  return [
    ['Seal', seal?.type ?? 'not named'],
    ['Key in the HSM, label', seal?.keyLabel ?? 'not named'],
    ['Key in the HSM, id', seal?.keyId ?? 'not named'],
    ...(move === undefined
      ? []
      : ([
          ['HSM before', hsmWords(move.from)],
          [move.dryRun === true ? 'HSM that was tried' : 'HSM afterwards', hsmWords(move.to)],
        ] as [string, string][])),
    ['Cluster of the vault', clusterId || 'not yet known'],
    ['Engine', engineVersion || 'not yet known'],
  ];
}

function acknowledgements(evidence: Evidence): string {
  const rows = evidence.plan.manifest.custodians.map(({ name }) => {
    const said = evidence.statements
      .filter(({ person }) => person === name)
      .map(({ text }) => readStatement(text, evidence.plan.name, name))
      .find((each) => each?.kind === 'receipt');
    const proven = evidence.proofs.some(({ custodian }) => custodian === name) ? 'yes' : 'no';
    return said?.kind === 'receipt'
      ? [name, said.storage, spokenLines(said.sha256).join(' '), proven]
      : [name, 'no signed receipt', '', proven];
  });
  if (rows.length === 0) return '<p>This ceremony gave out no shares.</p>';
  return `<p>Each custodian below has signed, with their own key, that the share named by its hash came to them, where it is stored, and
that they take on the duties of a custodian. Whether a signature is valid is in section 8.</p>
${table(['Custodian', 'Stored', 'SHA-256 of the encrypted share', 'Possession proved'], rows)}`;
}

function log({ entries }: Evidence): string {
  const rows = entries.map(({ number, time, who, step, facts: more }) => [
    String(number),
    time,
    who,
    step,
    Object.entries(more)
      .map(([name, value]) => `${name}: ${value}`)
      .join('; '),
  ]);
  return table(['No.', 'Time', 'Who', 'What', 'Facts'], rows);
}

function witnesses(evidence: Evidence): string {
  const rows = evidence.statements.flatMap(({ person, text }) => {
    const said = readStatement(text, evidence.plan.name, person);
    return said?.kind === 'witness' ? [[person, said.deviations, spokenLines(said.evidence).join(' ')]] : [];
  });
  return rows.length === 0
    ? '<p>No witness has signed.</p>'
    : table(['Witness', 'Deviations from the plan', 'Log up to'], rows);
}

function checks(findings: readonly Finding[]): string {
  const word = { right: 'Right', wrong: 'Wrong', note: 'Note' };
  return `<ul>${findings
    .map(({ level, text }) => `<li class="${level}"><strong>${word[level]}:</strong> ${escaped(text)}</li>`)
    .join('\n')}</ul>`;
}

function signatures(manifest: Manifest): string {
  return `<p>I have read my responsibilities in section 2, understand them, and accept them.</p>${table(
    ['Name', 'Date', 'Signature'],
    peopleOf(manifest).map(({ name }) => [name, '', '']),
    'by-hand',
  )}`;
}

function section(title: string, content: string): string {
  return `<section><h2>${escaped(title)}</h2>\n${content}\n</section>`;
}

function facts(rows: readonly (readonly [string, string])[]): string {
  return `<dl>${rows.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join('\n')}</dl>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[], name = ''): string {
  const line = (row: readonly string[]): string =>
    `<tr>${row.map((cell, index) => (index === 0 ? `<th scope="row">${escaped(cell)}</th>` : `<td${/\S{25}/.test(cell) ? ' class="long"' : ''}>${escaped(cell)}</td>`)).join('')}</tr>`;
  return `<div class="wide"><table class="${name}"><thead><tr>${head.map((cell) => `<th scope="col">${escaped(cell)}</th>`).join('')}</tr></thead>
<tbody>${rows.map(line).join('\n')}</tbody></table></div>`;
}

function escaped(value: string): string {
  return value.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
