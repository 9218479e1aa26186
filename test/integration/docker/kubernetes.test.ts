import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { formatHour, type Hour, hourOf } from '../../../src/hours.ts';
import { DEFAULTS, eventsOfHour, type Simulator, startSimulator } from '../../../src/simulator/simulator.ts';
import { type S3Server, startS3Server } from '../../support/s3-server/server.ts';
import { docker, dockerOutput, image, needEngine, ROOT } from './engine.ts';

const DAY_MS = 86_400_000;

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

interface Pod {
  readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number };
  readonly containers: readonly [
    {
      readonly env: readonly { readonly name: string; readonly value: string }[];
      readonly volumeMounts: readonly Mount[];
      readonly resources: { readonly limits: { readonly memory: string } };
      readonly securityContext: { readonly capabilities: { readonly drop: readonly string[] } };
    },
  ];
}

/** Settled hours that have data, so that each gets the large member. */
function busyHours(count: number): Hour[] {
  for (let start = hourOf(new Date(Date.now() - 3 * DAY_MS)); ; start--) {
    const hours = Array.from({ length: count }, (_, at) => start + at);
    if (hours.every((hour) => eventsOfHour(DEFAULTS.seed, hour, DEFAULTS.eventsPerHour).events > 0)) return hours;
  }
}

describe('a container as deploy/kubernetes/cronjob.yaml starts it', function () {
  this.timeout(900_000);
  let pod: Pod;
  let folder: string;
  let simulator: Simulator;
  let s3: S3Server;

  before(async function () {
    await needEngine(this);
    const manifest = parseAllDocuments(await readFile(join(ROOT, 'deploy/kubernetes/cronjob.yaml'), 'utf8'));
    pod = manifest[1]?.toJS().spec.jobTemplate.spec.template.spec as Pod;
    folder = await mkdtemp(join(tmpdir(), 'pod-'));
    simulator = await startSimulator();
    s3 = await startS3Server({ buckets: ['my-bucket'], accessKey: 'AKIAPOD', region: 'us-east-1', keepBodies: false });
  });

  after(async () => {
    await simulator?.close();
    await s3?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  /** What a kubelet makes of the manifest, in Docker's words. */
  async function flagsOf({ containers: [container], securityContext }: Pod): Promise<string[]> {
    const memory = container.resources.limits.memory.replace('Mi', 'm');
    const flags = ['--read-only', '--security-opt', 'no-new-privileges', '--memory', memory, '--memory-swap', memory];
    flags.push('--user', `${securityContext.runAsUser}:${securityContext.runAsGroup}`);
    for (const capability of container.securityContext.capabilities.drop) flags.push('--cap-drop', capability);
    for (const { name, value } of container.env) flags.push('--env', `${name}=${value}`);
    for (const { name, mountPath, readOnly = false } of container.volumeMounts) {
      await mkdir(join(folder, name), { recursive: true });
      // As with fsGroup: whoever runs in the pod may write.
      await chmod(join(folder, name), 0o777);
      flags.push('--volume', `${join(folder, name)}:${mountPath}${readOnly ? ':ro' : ''}`);
    }
    return flags;
  }

  it('lands an archive that does not fit in its memory', async () => {
    const hours = busyHours(4);
    for (const hour of hours) simulator.faults.push({ name: 'large-member', hour });
    const flags = await flagsOf(pod);
    await writeFile(join(folder, 'secrets/api-key'), 'simulator-key\n');
    await writeFile(join(folder, 'secrets/secret-key'), 'simulator-secret\n');
    const env = {
      AMPLITUDE_BASE_URL: simulator.url,
      AWS_ENDPOINT_URL_S3: s3.url,
      AWS_ACCESS_KEY_ID: 'AKIAPOD',
      AWS_SECRET_ACCESS_KEY: 'pod-secret',
      EXPORT_START: formatHour(hours[0] as Hour),
      EXPORT_END: formatHour((hours[0] as Hour) + hours.length),
    };
    const more = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    const created = await dockerOutput(['create', '--network', 'host', ...flags, ...more, await image()]);
    try {
      const ended = await docker(['start', '--attach', created]);
      expect(ended.code, `${ended.stdout}\n${ended.stderr}`).to.equal(0);
      expect(await dockerOutput(['inspect', '--format', '{{.State.OOMKilled}}', created])).to.equal('false');
      const keys = [...s3.objects.keys()];
      expect(keys.filter((key) => key.startsWith('my-bucket/amplitude/manifests/'))).to.have.length(hours.length);
    } finally {
      await docker(['rm', '--force', created]);
    }
  });
});
