import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { elapsed, step, toTerminal } from '../../test/support/cluster/progress.ts';
import { expectValue, writeAndRead } from './client.ts';
import { Custodians } from './custodians.ts';
import { applyCeremony, applyVault, createNamespaces, createToken, installOperator } from './install.ts';
import { playCeremonies } from './life.ts';
import { done, names, namespaces } from './names.ts';
import { answerKeyTest } from './person.ts';
import { rootToken, rootTokenCommand } from './results.ts';
import { type DemoOptions, folder, openTarget } from './target.ts';
import { replacePod, waitForPhase } from './wait.ts';

const usage = `npm run demo                                            kind where a Docker engine runs, else one node on this machine (needs root)
npm run demo -- --kubeconfig FILE --image IMAGE         an existing cluster that can pull the image
npm run demo:down                                       removes it again
`;

const { values } = parseArgs({
  options: { kubeconfig: { type: 'string' }, image: { type: 'string' }, help: { type: 'boolean' } },
});
if (values.help === true) process.stdout.write(usage);
else await main(values);

async function main(options: DemoOptions): Promise<void> {
  const started = performance.now();
  const report = toTerminal;
  const target = await openTarget(options, report);
  const { kubectl } = target;
  report(`• cluster: ${target.description}`);
  await createNamespaces(kubectl);
  await step(
    report,
    'installing the operator',
    () => installOperator(target.helm, target.kubeconfig, kubectl, target.image),
    '10 s',
  );
  const { slot } = await step(
    report,
    'making a SoftHSM token',
    () => createToken(kubectl, target.image),
    '5 s',
  );
  report(`    slot ${slot}; its PIN stands in a Secret`);
  const people = ['ada', 'grace', 'edith', 'joan', 'boss', 'wit', 'chief'];
  const custodians = await step(report, `making OpenPGP keys for ${people.join(', ')}`, () =>
    Custodians.create(join(folder, 'gnupg'), people, report),
  );
  await applyVault(kubectl);
  await applyCeremony(kubectl, custodians);
  await step(report, 'ada, grace and edith answer the key test', async () => {
    await waitForPhase(kubectl, `recoveryceremony/${names.ceremony}`, 'TestingKeys', 180_000);
    const at = { gnupgHome: join(folder, 'gnupg'), kubeconfig: target.kubeconfig };
    await answerKeyTest(at, names.ceremony, ['ada', 'grace', 'edith']);
  });
  await step(report, 'recovery ceremony', () =>
    waitForPhase(kubectl, `recoveryceremony/${names.ceremony}`, done.ceremony, 180_000, (line) =>
      report(`    ${line}`),
    ),
  );
  await step(report, 'vault', () =>
    waitForPhase(kubectl, `sealedvault/${names.vault}`, done.vault, 120_000, (line) => report(`    ${line}`)),
  );
  const token = await step(report, "decrypting ada's root token with gpg", async () =>
    (await custodians.decrypt(await rootToken(kubectl))).trim(),
  );
  const value = randomBytes(8).toString('hex');
  await step(report, 'writing and reading a secret with node-vault', () =>
    writeAndRead(kubectl, token, value),
  );
  const tookMs = await step(report, 'deleting the pod', () => replacePod(kubectl), '10 s');
  report(`    unsealed itself and was ready again after ${(tookMs / 1000).toFixed(1)} s`);
  await step(report, 'reading the secret again', () => expectValue(kubectl, token, value));
  await playCeremonies({
    kubectl,
    custodians,
    kubeconfig: target.kubeconfig,
    gnupgHome: join(folder, 'gnupg'),
    folder,
    report,
  });
  report(`\nDone in ${elapsed(started)}. To go on:\n${commands(target.kubectlPath, target.kubeconfig)}`);
}

function commands(kubectl: string, kubeconfig: string): string {
  return [
    `  export KUBECONFIG=${kubeconfig}`,
    ...(kubectl === 'kubectl' ? [] : [`  alias kubectl=${kubectl}`]),
    `  kubectl config set-context --current --namespace=${namespaces.vault}`,
    '  kubectl get sealedvault-all,pods,secrets',
    `  kubectl describe sealedvault ${names.vault}`,
    `  kubectl logs ${names.vault}-0 --all-containers`,
    `  ${rootTokenCommand} | gpg --homedir ${join(folder, 'gnupg')} --decrypt    # ada's root token`,
    `  kubectl port-forward service/${names.vault}-active 8200`,
    '  npm run demo:down',
    '',
  ].join('\n');
}
