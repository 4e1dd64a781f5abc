import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../../test/support/cluster/paths.ts';
import { toTerminal } from '../../test/support/cluster/progress.ts';
import { Custodians } from './custodians.ts';
import { closeTarget, folder } from './target.ts';

const keyring = join(folder, 'gnupg');
if (existsSync(keyring)) await Custodians.open(keyring, []).remove();
const removed = await closeTarget(toTerminal);
toTerminal(removed ? '• the demo is gone' : '• there is no demo');
toTerminal(
  `  built programs and images stay in ${cacheFolder()} for the next time; delete that folder to be rid of them, too`,
);
