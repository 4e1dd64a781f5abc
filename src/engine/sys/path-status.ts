import { cpus, freemem, hostname, loadavg, platform, release, totalmem, uptime } from 'node:os';
import { statfs } from 'node:fs/promises';
import { type JsonObject } from '../../lib/json.ts';
import { type Path, path } from '../logical/logical.ts';
import { data, empty, keys } from '../logical/response.ts';
import type { SysPort } from './port.ts';

/** version-history, ha-status, step-down and host-info. */
export function statusPaths(port: SysPort): Path[] {
  return [
    path({
      pattern: 'version-history',
      synopsis: 'List historical version changes sorted by installation time in ascending order.',
      fields: {},
      operations: {
        list: {
          summary: 'Returns map of historical version change entries.',
          handler: async () => {
            const versions = await port.versions();
            const info: JsonObject = {};
            let previous: string | null = null;
            for (const { version, installed, buildDate } of versions) {
              info[version] = {
                previous_version: previous,
                timestamp_installed: installed,
                build_date: buildDate,
              };
              previous = version;
            }
            return keys(
              versions.map(({ version }) => version),
              { key_info: info },
            );
          },
        },
      },
    }),
    path({
      pattern: 'ha-status',
      synopsis: 'Provides information about the nodes in an HA cluster.',
      fields: {},
      operations: {
        read: {
          summary: 'Check the HA status of a Vault cluster.',
          handler: () => ({
            kind: 'data',
            atTop: true,
            data: {
              nodes: [
                {
                  hostname: hostname(),
                  api_address: port.server.apiAddress,
                  cluster_address: '',
                  active_node: true,
                  last_echo: null,
                  version: port.server.version,
                  upgrade_version: port.server.version,
                },
              ],
            },
          }),
        },
      },
    }),
    path({
      pattern: 'step-down',
      synopsis: 'Cause the node to give up active status.',
      access: 'sudo',
      fields: {},
      operations: { update: { summary: 'A single node stays active.', handler: () => empty } },
    }),
    path({
      pattern: 'host-info',
      synopsis: 'Information about the host instance that this server is running on.',
      access: 'sudo',
      fields: {},
      operations: {
        read: {
          summary: 'Information about the host instance that this server is running on.',
          handler: async () => data(await hostInfo(port.now())),
        },
      },
    }),
  ];
}

async function hostInfo(now: number): Promise<JsonObject> {
  const disk = await statfs('/');
  const used = totalmem() - freemem();
  return {
    cpu: cpus().map(({ model, speed }, index) => ({ cpu: index, modelName: model, mhz: speed })),
    cpu_times: cpus().map(({ times }, index) => ({
      cpu: `cpu${index}`,
      user: times.user / 1000,
      system: times.sys / 1000,
      idle: times.idle / 1000,
      nice: times.nice / 1000,
      irq: times.irq / 1000,
    })),
    disk: [
      {
        path: '/',
        total: disk.blocks * disk.bsize,
        free: disk.bavail * disk.bsize,
        used: (disk.blocks - disk.bfree) * disk.bsize,
        inodesTotal: disk.files,
        inodesFree: disk.ffree,
      },
    ],
    host: {
      hostname: hostname(),
      uptime: Math.floor(uptime()),
      bootTime: Math.floor(now / 1000 - uptime()),
      os: platform(),
      platform: platform(),
      kernelVersion: release(),
      kernelArch: process.arch,
      load: loadavg(),
    },
    memory: { total: totalmem(), available: freemem(), free: freemem(), used },
    timestamp: new Date(now).toISOString(),
  };
}
