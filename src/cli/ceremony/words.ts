import type { Hsm, Manifest, Person, Plan } from './manifest.ts';
import { listed, spokenBlock, spokenLines } from './spoken.ts';

/** A plan in words, for reading aloud before anybody agrees to it. */
export function describePlan({ manifest, digest }: Plan): string[] {
  const { ceremony, vault, seal } = manifest;
  return [
    `Ceremony ${ceremony.namespace}/${ceremony.name}`,
    `  uid ${ceremony.uid}`,
    '',
    'What will be done:',
    ...purpose(manifest).map((line) => `  ${line}`),
    '',
    'Which vault:',
    `  ${vault.name}, cluster ${manifest.clusterId || 'not yet known'}, engine ${manifest.engineVersion || 'not yet known'}`,
    ...(seal === undefined
      ? []
      : [
          `  sealed by ${seal.type}${seal.keyLabel === undefined ? '' : `, key label ${seal.keyLabel}`}${seal.keyId === undefined ? '' : `, key id ${seal.keyId}`}`,
        ]),
    '',
    ...group('Custodians', manifest.custodians),
    ...group('Other people', manifest.people),
    ...holders(manifest),
    ...quorums(manifest),
    ...keyTest(manifest),
    ...(manifest.expiresAt === '' ? [] : [`The ceremony ends by itself at ${manifest.expiresAt}.`, '']),
    ...spokenBlock('Digest of this plan, to compare by voice', digest),
  ];
}

function purpose(manifest: Manifest): string[] {
  const { type, custodians, threshold = 0, vault, requester, ttl } = manifest;
  const shares = `${custodians.length} recovery shares, one for each custodian; any ${threshold} of them together are the recovery key.`;
  switch (type) {
    case 'Initialize':
      return [
        `Initialize the vault ${vault.name}, and make ${shares}`,
        manifest.rootTokenTo === undefined
          ? 'No root token is made.'
          : `The root token is encrypted to ${manifest.rootTokenTo} alone.`,
      ];
    case 'RotateRecovery':
      return [
        `Replace the recovery key of ${vault.name}: the custodians of today give their shares,`,
        `then there are ${shares}`,
        'The old shares stay right until every new custodian has proved to have theirs.',
      ];
    case 'BreakGlass':
      return custodians.length === 0
        ? [
            `Turn the break-glass seal of ${vault.name} off: it is opened by its HSM only.`,
            'Copies of its storage from before stay openable by the shares of before.',
          ]
        : [
            `Turn the break-glass seal of ${vault.name} on: any ${threshold} of ${custodians.length} custodians together can open it`,
            'without its HSM, from its storage or a backup of it. This is meant for a lost HSM, and is as strong as they are.',
          ];
    case 'GenerateRoot':
      return [
        `Make a root token of ${vault.name}, encrypted to ${requester ?? 'nobody'}.`,
        `It ends by itself after ${ttl ?? 'an unknown time'}.`,
      ];
    case 'SealMigration':
      return migration(manifest);
    case 'Drill':
      return [
        `Prove that the recovery shares of ${vault.name} can be used, without showing any of them.`,
        'Nothing is changed.',
      ];
    default:
      return [`${type} of the vault ${vault.name}.`];
  }
}

function migration({ vault, sealMigration: move }: Manifest): string[] {
  if (move === undefined) return [`Move the vault ${vault.name} to another HSM.`];
  const sides = [`  from ${hsmWords(move.from)}`, `  to   ${hsmWords(move.to)}`];
  if (move.dryRun === true)
    return [
      `Prove that the vault ${vault.name} could be moved to another HSM:`,
      ...sides,
      'Its pods are replaced twice; nothing else is changed, and nobody gives a share.',
    ];
  return [
    `Move the vault ${vault.name} to another HSM:`,
    ...sides,
    'Holders keep their shares. From then on the new HSM opens the vault, and the old one opens nothing that is written.',
  ];
}

/** An HSM in one line. */
export function hsmWords({ name, library, tokenLabel, serial, slotFrom, keyLabel, keyId }: Hsm): string {
  const token =
    tokenLabel === undefined
      ? serial === undefined
        ? `the token of the slot in Secret ${slotFrom?.secretKeyRef.name ?? 'unknown'}`
        : `the token of serial ${serial}`
      : `token ${tokenLabel}`;
  const key = keyLabel === undefined ? `key id ${keyId ?? 'unknown'}` : `key ${keyLabel}`;
  return `${name === undefined ? '' : `${name}: `}${token}, ${key}, by ${library.path}`;
}

function group(title: string, people: readonly Person[]): string[] {
  if (people.length === 0) return [];
  return [
    `${title}:`,
    ...people.flatMap(({ name, fingerprint, username, group: member }) => [
      `  ${name}${username === undefined ? '' : `, user ${username}`}${member === undefined ? '' : `, of ${member}`}`,
      `    key ${spokenLines(fingerprint).join(' ')}`,
    ]),
    '',
  ];
}

function holders({ type, holders: found }: Manifest): string[] {
  if (found === undefined || type === 'Drill') return [];
  const names = found.custodians.map(({ name }) => name);
  return [`Shares of today: any ${found.threshold} of ${listed(names)} together.`, ''];
}

function keyTest({ keyTest: asked, custodians }: Manifest): string[] {
  if (asked === undefined) return [];
  const names = custodians.map(({ name }) => name);
  return [
    `Key test: ${listed(names)} must decrypt a message and sign the answer, before there is any share.`,
    '',
  ];
}

function quorums({ approvals, witnesses }: Manifest): string[] {
  const said = [
    ...(approvals === undefined
      ? []
      : [`Approval: ${approvals.required} of ${listed(approvals.approvers)} must agree to this plan.`]),
    ...(witnesses === undefined
      ? []
      : [`Witness: ${witnesses.required} of ${listed(witnesses.names)} must sign the evidence at the end.`]),
  ];
  return said.length === 0 ? [] : [...said, ''];
}
